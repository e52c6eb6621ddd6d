package snapshots_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// builder makes of an archive NAME=TEXT … the files in its folder. Where the
// archive is "fail" it fails.
type builder struct {
	seen    []builds.Snapshot
	begun   chan struct{} // notified when a build begins, if it is not nil
	proceed chan struct{} // waited for, if it is not nil
	after   func(builds.Snapshot) error
	unused  []string // that a sweep found, of "node 1" and "node 2"
}

// Sweep asks for two nodes.
func (b *builder) Sweep(used func(node string) bool) error {
	for _, node := range []string{"node 1", "node 2"} {
		if !used(node) {
			b.unused = append(b.unused, node)
		}
	}
	return nil
}

var errNoBuild = errors.New("out of order")

// Build builds.
func (b *builder) Build(ctx context.Context, s builds.Snapshot, out io.Writer) (builds.Result, error) {
	if b.begun != nil {
		b.begun <- struct{}{}
		select {
		case <-b.proceed:
		case <-ctx.Done():
			return builds.Result{}, ctx.Err()
		}
	} else {
		b.seen = append(b.seen, s)
	}
	text, err := io.ReadAll(s.Tgz)
	if err != nil {
		return builds.Result{}, err
	}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return builds.Result{}, err
	}
	for field := range strings.FieldsSeq(string(text)) {
		name, content, _ := strings.Cut(field, "=")
		path := filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return builds.Result{}, err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return builds.Result{}, err
		}
	}
	_, _ = io.WriteString(out, "building "+string(text))
	switch string(text) {
	case "fail":
		return builds.Result{}, core.Errorf(core.CodePlatformBuildFailed, "it is not an app")
	case "break":
		return builds.Result{}, errNoBuild
	}
	if b.after != nil {
		if err := b.after(s); err != nil {
			return builds.Result{}, err
		}
	}
	return builds.Result{Dir: s.Dir, Node: "/bin/node", NodeVersion: "20.0.0"}, nil
}

// bench is a Store under test.
type bench struct {
	*snapshots.Store
	t        *testing.T
	archives string
	builds   string
	builder  *builder
}

func setup(t *testing.T, change ...func(*snapshots.Options)) *bench {
	t.Helper()
	top := t.TempDir()
	b := &bench{t: t, archives: filepath.Join(top, "archives"), builds: filepath.Join(top, "builds"), builder: &builder{}}
	o := snapshots.Options{
		Dir: b.archives, Builds: b.builds, Builder: b.builder,
		Credential: func(string, string) (*syscall.Credential, error) { return nil, nil },
	}
	for _, change := range change {
		change(&o)
	}
	b.Store = snapshots.New(o)
	if err := b.Prepare(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) receive(text string) *snapshots.Archive {
	b.t.Helper()
	a, err := b.Receive(strings.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// put receives and builds a snapshot.
func (b *bench) put(user, app, id, text string) builds.Result {
	b.t.Helper()
	built, err := b.Build(b.t.Context(), b.receive(text), snapshots.Request{User: user, App: app, ID: id}, io.Discard)
	if err != nil {
		b.t.Fatal(err)
	}
	return built
}

// write makes a file, with the folders above it.
func (b *bench) write(parts ...string) {
	b.t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// files returns the paths of all files below a folder, links among them, and
// of the folders that are empty.
func files(t *testing.T, top string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if within, err := os.ReadDir(path); err != nil || len(within) > 0 {
				return err
			}
		}
		below, err := filepath.Rel(top, path)
		found = append(found, below)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// holds fails the test if a folder has other files than these.
func (b *bench) holds(top string, want ...string) {
	b.t.Helper()
	slices.Sort(want)
	if got := files(b.t, top); !slices.Equal(got, want) {
		b.t.Errorf("%s holds\n%q, want\n%q", filepath.Base(top), got, want)
	}
}
