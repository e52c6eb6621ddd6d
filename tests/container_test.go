package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/nodejitsu/webhooks/tests/internal/built"
)

// composed is what a compose file says of a service.
type composed struct {
	Build struct{ Context, Dockerfile string }
	Image string

	Command, Ports, Volumes []string
	DependsOn               map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck             struct{ Test []string }
	Grace                   string `yaml:"stop_grace_period"`
	Init                    bool
	Capabilities            []string `yaml:"cap_add"`
	Restart                 string
}

// TestContainers compares the container image and the compose example with the
// program: the settings, the port, the data folder and the time that a stop takes.
func TestContainers(t *testing.T) {
	t.Parallel()
	const folder = "../tools/package"
	text, err := os.ReadFile(filepath.Join(folder, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]composed
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(filepath.Join(folder, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := built.Program(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := file.Services["webhooks"]
	if len(server.Command) == 0 || server.Command[0] != "serve" {
		t.Fatalf("the server's command is %q", server.Command)
	}
	// The program accepts the settings, and has the port and the folder by default.
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("webhooks %q: %v %s", args, err, out)
		}
		return string(out)
	}
	run(append([]string{"config", "check"}, server.Command[1:]...)...)
	settings := run(append([]string{"config", "show"}, server.Command[1:]...)...)
	setting := func(name string) string {
		t.Helper()
		found := regexp.MustCompile(`(?m)^` + name + ` +(.*)$`).FindStringSubmatch(settings)
		if found == nil {
			t.Fatalf("no setting %s in %s", name, settings)
		}
		return found[1]
	}
	port := strings.TrimPrefix(setting("listen"), ":")
	if len(server.Ports) != 1 || !strings.HasSuffix(server.Ports[0], ":"+port) || !strings.Contains(string(image), "\nEXPOSE "+port+"\n") ||
		!strings.Contains(string(image), "http://127.0.0.1:"+port+"/healthz") {
		t.Errorf("the port %s is not the one that is published, exposed and checked", port)
	}
	timeout, err := time.ParseDuration(setting("shutdown-timeout"))
	if grace, graceErr := time.ParseDuration(server.Grace); err != nil || graceErr != nil || grace < timeout+90*time.Second {
		t.Errorf("a stop takes up to %s and 90s, and has %s; %v %v", timeout, server.Grace, err, graceErr)
	}
	const data = "/var/lib/webhooks" // of root, which runs it in the container
	if os.Getuid() == 0 && setting("data") != data {
		t.Errorf("the data folder is %s, want %s", setting("data"), data)
	}
	if !strings.Contains(string(image), "\nVOLUME "+data+"\n") || len(server.Volumes) != 1 || !strings.HasSuffix(server.Volumes[0], ":"+data) {
		t.Errorf("the data folder %s is not a volume", data)
	}

	for name, service := range file.Services {
		if service.Restart == "" || service.Image == "" && service.Build.Dockerfile == "" {
			t.Errorf("%s: no image, or it is not restarted", name)
		}
		for _, volume := range service.Volumes {
			named, _, _ := strings.Cut(volume, ":")
			if _, ok := file.Volumes[named]; !ok {
				t.Errorf("%s: there is no volume %s", name, named)
			}
		}
		for other, on := range service.DependsOn {
			if needed, ok := file.Services[other]; !ok || on.Condition == "service_healthy" && len(needed.Healthcheck.Test) == 0 {
				t.Errorf("%s depends on %s, which is never healthy", name, other)
			}
		}
	}
	context := filepath.Join(folder, server.Build.Context)
	if _, err := os.Stat(filepath.Join(context, server.Build.Dockerfile)); err != nil || !server.Init {
		t.Errorf("no Containerfile, or no init: %v", err)
	}
	// The server has to see the sockets of apps, which run as other users.
	if !slices.Contains(server.Capabilities, "SYS_PTRACE") {
		t.Errorf("the server has only the capabilities %q beside the usual ones", server.Capabilities)
	}
	// What the image is built from is in its context.
	for _, build := range regexp.MustCompile(`go build .* (\./\S+)`).FindAllStringSubmatch(string(image), -1) {
		if _, err := os.Stat(filepath.Join(context, build[1], "main.go")); err != nil {
			t.Errorf("the image builds %s: %v", build[1], err)
		}
	}
}
