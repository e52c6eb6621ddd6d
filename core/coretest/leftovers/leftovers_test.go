package leftovers

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// start starts a process that ends when its stdin does, which is never before
// the test does.
func start(t *testing.T, change func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("cat") //nolint:noctx // it is ended by what is tested
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	change(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	return cmd
}

func TestKillEndsTheProcessesOfAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := start(t, func(cmd *exec.Cmd) { cmd.Env = []string{"HOME=" + dir + "-other"} })
	for way, change := range map[string]func(*exec.Cmd){
		"by its folder":      func(cmd *exec.Cmd) { cmd.Dir = dir },
		"by its environment": func(cmd *exec.Cmd) { cmd.Env = []string{"HOME=" + filepath.Join(dir, "home")} },
		"by its arguments":   func(cmd *exec.Cmd) { cmd.Args = append(cmd.Args, "-", dir+"/x") },
	} {
		cmd := start(t, change)
		if err := Kill(dir); err != nil {
			t.Errorf("%s: %v", way, err)
		}
		if link, err := os.Readlink(filepath.Join("/proc", pid(cmd), "cwd")); err == nil {
			t.Errorf("%s: it still runs in %s", way, link)
		}
	}
	if _, err := os.Readlink(filepath.Join("/proc", pid(other), "cwd")); err != nil {
		t.Errorf("a process of another folder was ended: %v", err)
	}
}

func TestCheckNamesWhatIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := check(dir, 0); err != nil {
		t.Errorf("of an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "forgotten"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := start(t, func(cmd *exec.Cmd) { cmd.Dir = dir })
	err := check(dir, 0)
	if err == nil {
		t.Fatal("no process was found")
	}
	for _, want := range []string{"process " + pid(cmd), "file " + filepath.Join(dir, "forgotten")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestInterfacesByTheirAliases(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, alias := range map[string]string{"mine": "12 34 /tmp/dir/cluster-1\n", "other": "12 34 /tmp/dir-2/cluster-1\n", "lo": ""} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, "ifalias"), []byte(alias), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := interfaces(root, "/tmp/dir"); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("got %q", got)
	}
}

func pid(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }
