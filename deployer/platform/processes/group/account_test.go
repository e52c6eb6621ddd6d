package group_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// A command finds its user in the user database, which is unchanged elsewhere.
func TestAccount(t *testing.T) {
	t.Parallel()
	before, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `id -un; node -p 'const u = require("os").userInfo(); u.username + " " + u.homedir'; id -un root`)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/tmp"}
	cmd.Dir, cmd.Stdout = "/", &out
	var as *syscall.Credential
	if os.Getuid() == 0 {
		as = ownUser(1)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	name := group.NameOf(as)
	g, err := (*group.Cgroups)(nil).Start(cmd, markOf(t), group.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	<-g.Exited()
	err = g.End(t.Context(), 0)
	lines := strings.Split(out.String(), "\n")
	switch {
	case as != nil && group.CheckAccounts() != nil:
		if lines[0] == name {
			t.Errorf("without the privilege to mount, it finds %q", out.String())
		}
	case err != nil || lines[0] != name || !strings.HasPrefix(lines[1], name+" ") || lines[2] != "root":
		t.Errorf("it finds %q (%v), want %s", out.String(), err, name)
	case as != nil && (name != group.AccountName || lines[1] != name+" /tmp"):
		t.Errorf("it finds %q", out.String())
	}
	if after, err := os.ReadFile("/etc/passwd"); err != nil || string(after) != string(before) {
		t.Errorf("the user database has changed: %v", err)
	}
}
