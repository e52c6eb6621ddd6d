package cluster

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// What a cluster has left whose process was killed is removed when the next one is
// started; what belongs to a process that runs stays.
func TestDeadClusterIsRemoved(t *testing.T) {
	t.Parallel()
	ended := exec.CommandContext(t.Context(), "true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	living, err := self(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dead := owner{ended.Process.Pid, "1", filepath.Join(t.TempDir(), "cluster-1")}
	if err := os.Mkdir(dead.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	left := exec.Command("cat") //nolint:noctx // it is ended by what is tested
	left.Env = []string{"HOME=" + dead.dir}
	if _, err := left.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = left.Wait(); close(exited) }()
	t.Cleanup(func() { _ = left.Process.Kill(); <-exited })
	bridge := func(name string, by owner) {
		t.Helper()
		for _, args := range [][]string{{"add", name, "type", "bridge"}, {"set", name, "alias", by.String()}} {
			if _, err := output(t.Context(), append([]string{"ip", "link"}, args...)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	number := strconv.Itoa(os.Getpid() % 1000)
	kept, removed := bridgePrefix+"-k"+number, bridgePrefix+"-d"+number // no network has these names
	release, err := lockNetworks()
	if err != nil {
		t.Fatal(err)
	}
	bridge(kept, living)
	bridge(removed, dead)
	release()
	t.Cleanup(func() {
		if err := (&network{bridge: kept}).remove(t.Context()); err != nil {
			t.Error(err)
		}
	})
	n, err := newNetwork(t.Context(), living)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.remove(t.Context()); err != nil {
		t.Error(err)
	}
	<-exited
	for path, there := range map[string]bool{
		filepath.Join(interfaces, kept): true, filepath.Join(interfaces, removed): false, living.dir: true, dead.dir: false,
	} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) == there {
			t.Errorf("%s: %v", path, err)
		}
	}
}
