package cluster_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tests/internal/built"
)

// server is the program, with its apps in the cluster.
type server struct {
	t       *testing.T
	program string
	data    string
	apps    string // address
	cmd     *exec.Cmd
	log     bytes.Buffer // read after the end
}

// serve starts the program, and returns when its platform answers.
func (s *server) serve(args ...string) {
	s.t.Helper()
	s.cmd = exec.Command(s.program, append([]string{ //nolint:gosec,noctx // the program, which is ended below
		"serve", "--data", s.data, "--listen", s.apps, "--platform-listen", "127.0.0.1:0", "--runner", "kubernetes",
		"--kubeconfig", shared.Kubeconfig, "--registry", shared.Registry + "/program", "--min-ready-time", "1s",
		"--ready-timeout", patience.String(),
	}, args...)...)
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.data, "TMPDIR=" + s.t.TempDir()}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	_ = os.Remove(filepath.Join(s.data, "platform", "platform.url")) // of the one before
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	await(s.t, "the platform", func() bool {
		if s.cmd.Process.Signal(syscall.Signal(0)) != nil {
			s.t.Fatalf("the program has ended:\n%s", s.log.String())
		}
		_, err := os.Stat(filepath.Join(s.data, "platform", "platform.url"))
		return err == nil
	})
}

// end ends the program, if it runs.
func (s *server) end() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("%v\n%s", err, s.log.String())
	}
	s.cmd = nil
}

// read returns a file of the platform.
func (s *server) read(name string) string {
	text, err := os.ReadFile(filepath.Join(s.data, "platform", name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Error(err)
	}
	return strings.TrimSpace(string(text))
}

func (s *server) client(name string, secret func() core.Secret) *nodejitsu.Client {
	c := nodejitsu.New(nodejitsu.Options{Endpoint: func() string { return s.read("platform.url") }, Username: name, Password: secret})
	s.t.Cleanup(c.Close)
	return c
}

// page requests the app of a host from the program's router.
func (s *server) page(ctx context.Context, host string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.apps, http.NoBody)
	if err != nil {
		return ""
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// packed returns a snapshot of an app.
func packed(t *testing.T, js string) io.Reader {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for name, text := range map[string]string{"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"}}`, "server.js": js} {
		if err := archive.WriteHeader(&tar.Header{Name: "package/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return &out
}

// The program makes pods of what is deployed, in a namespace of the user; they go on
// without it, and it takes them over.
func TestProgram(t *testing.T) {
	t.Parallel()
	path, err := built.Program(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // apps are built as users of their own
		if err := os.Chmod(d, 0o711); err != nil { //nolint:gosec // so that they reach it
			t.Fatal(err)
		}
	}
	s := &server{t: t, program: path, data: filepath.Join(dir, "data"), apps: freeAddress()}
	args := []string{"--base-image", toolsImage(t), "--kubernetes-ingress-class", "nginx", "--kubernetes-network-policy", "kube-system"}
	s.serve(args...)
	t.Cleanup(s.end)
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v: %+v", err, core.AsError(err))
		}
	}
	service := s.client(core.ServiceUser, func() core.Secret { return core.NewSecret(s.read("platform.key")) })
	check(service.CreateUser(ctx, nodejitsu.User{Username: "marak", Password: core.NewSecret("password")}))
	marak := s.client("marak", func() core.Secret { return core.NewSecret("password") })
	check(marak.CreateApp(ctx, "marak", "shop", map[string]any{"subdomain": "shop"}))
	deploy := func(id, js string) error {
		t.Helper()
		var out bytes.Buffer
		if err := marak.UploadSnapshot(ctx, "marak", "shop", id, "", packed(t, js), &out); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		check(marak.ActivateSnapshot(ctx, "marak", "shop", id))
		_, err := marak.StartApp(ctx, "marak", "shop")
		return err
	}
	check(deploy("one", answers("one")))
	if got := s.page(ctx, "shop.localhost"); got != "one" {
		t.Errorf("the app answers %q", got)
	}
	if got := kubectl(t, "", "-n", "webhooks-marak", "get", "ingress", "shop", "-o", "jsonpath={.spec.ingressClassName} {.spec.rules[*].host} {.spec.rules[0].http.paths[0].backend.service.name}"); got != "nginx shop.localhost shop" {
		t.Errorf("the route is %q", got)
	}
	if got := kubectl(t, "", "-n", "webhooks-marak", "get", "networkpolicy", "shop", "-o", "jsonpath={.spec.ingress[0].from[0].namespaceSelector.matchLabels} {.spec.egress[0].to[0].ipBlock.except}"); !strings.Contains(got, "kube-system") || !strings.Contains(got, "169.254.169.254/32") {
		t.Errorf("the NetworkPolicy has %q", got)
	}
	check(deploy("two", answers("two")))
	if got := s.page(ctx, "shop.localhost"); got != "two" {
		t.Errorf("the app answers %q", got)
	}
	if err := deploy("three", `console.error('no database'); process.exit(7)`); core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(core.AsError(err).Detail, "no database") {
		t.Errorf("a version that crashes: %v", err)
	}
	pods := func() string {
		return kubectl(t, "", "-n", "webhooks-marak", "get", "pods", "-l", "app.kubernetes.io/name=shop,app.kubernetes.io/version=two", "-o", "jsonpath={.items[*].metadata.uid} {.items[*].status.podIP}")
	}
	before := pods()
	s.end()
	_, address, _ := strings.Cut(before, " ")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(address, "8080"), http.NoBody)
	check(err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("without the program: %v", err)
	}
	_ = resp.Body.Close() // it answers
	s.serve(args...)
	await(t, "the app after a restart", func() bool { return s.page(ctx, "shop.localhost") == "two" })
	if after := pods(); after != before {
		t.Errorf("after a restart the pods are %s, want %s", after, before)
	}
	check(marak.DestroyApp(ctx, "marak", "shop"))
	if left := kubectl(t, "", "-n", "webhooks-marak", "get", "deployments,pods,secrets,services,poddisruptionbudgets,ingresses,networkpolicies", "-l", "app.kubernetes.io/managed-by=webhooks", "-o", "name"); left != "" {
		t.Errorf("after the app was destroyed there is %s", left)
	}
}
