package group_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// What is started can gain nothing, and the server loses nothing by it.
func TestStartDropsPrivileges(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "grep -E '^(NoNewPrivs|Cap(Inh|Prm|Eff|Bnd|Amb)):' /proc/self/status; echo; exec sleep 1000 >/dev/null")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g, err := (*group.Cgroups)(nil).Start(cmd, markOf(t), group.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.End(t.Context(), time.Minute) }() // it fails as the command was signaled
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

// What is started can make no user namespace, by whichever call, and programs
// that make others of their own go on as ever.
func TestUserNamespaces(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // the test's own
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		g, err := (*group.Cgroups)(nil).Start(cmd, markOf(t), group.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		<-g.Exited()
		err = g.End(t.Context(), time.Minute)
		return out.String(), err
	}
	if out, err := run("unshare", "-U", "true"); err == nil || !strings.Contains(out, "not permitted") {
		t.Errorf("unshare: %q, %v", out, err)
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-U", "true").CombinedOutput(); err != nil {
		t.Errorf("the server itself can't: %q, %v", out, err)
	}
	if out, err := run("/usr/bin/env", cloneVariable+"=1", os.Args[0]); err != nil || !strings.Contains(out, "not permitted") {
		t.Errorf("clone: %q, %v", out, err)
	}
	// Threads and processes, by Node.js and its C library.
	const js = `const {Worker} = require('worker_threads'); const {execSync} = require('child_process')
		new Worker("require('worker_threads').parentPort.postMessage('thread')", {eval: true}).on('message', m => console.log(m, execSync('echo process').toString().trim()))`
	if out, err := run("node", "-e", js); err != nil || out != "thread process\n" {
		t.Errorf("node: %q, %v", out, err)
	}
}
