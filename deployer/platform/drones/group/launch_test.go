package group_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/drones/group"
)

// What is started can gain nothing, and the server loses nothing by it.
func TestStartDropsPrivileges(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "grep -E '^(NoNewPrivs|Cap(Inh|Prm|Eff|Bnd|Amb)):' /proc/self/status; echo; exec sleep 1000 >/dev/null")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g, err := group.Start(cmd, "test."+t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.End(t.Context(), time.Minute) }() // it was told to
	set := map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "" {
		name, value, _ := strings.Cut(lines.Text(), ":")
		set[name] = strings.TrimLeft(strings.TrimSpace(value), "0")
	}
	want := map[string]string{"NoNewPrivs": "1", "CapInh": "", "CapPrm": "", "CapEff": "", "CapBnd": "", "CapAmb": ""}
	if os.Getuid() != 0 {
		want["CapBnd"] = set["CapBnd"] // it takes root to drop them; they are for files that no_new_privs disarms
	}
	for name, value := range want {
		if got, ok := set[name]; !ok || got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	// The next program is started as ever, whatever thread this is.
	status, err := exec.CommandContext(t.Context(), "grep", "-E", "^(NoNewPrivs|CapBnd):", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if !strings.Contains(string(own), line) {
			t.Errorf("another program is started with %q, which is not the server's", line)
		}
	}
}
