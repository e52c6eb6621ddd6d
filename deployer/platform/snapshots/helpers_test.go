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

// builder is a builder for tests: an archive "NAME=TEXT ..." is built to files with
// these names and contents. The archives "fail" and "break" fail.
type builder struct {
	seen    []builds.Snapshot
	begun   chan struct{} // receives when a build begins, if not nil
	proceed chan struct{} // builds wait for it, if not nil
	after   func(builds.Snapshot) error
	used    []string // of the last Sweep
}

// Sweep records what is used.
func (b *builder) Sweep(used []string) error {
	b.used = used
	return nil
}

var errNoBuild = errors.New("builder failed")

// Build writes the files of an archive.
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

// fixture is a Store under test.
type fixture struct {
	*snapshots.Store
	t        *testing.T
	archives string
	builds   string
	builder  *builder
}

func setup(t *testing.T, change ...func(*snapshots.Options)) *fixture {
	t.Helper()
	top := t.TempDir()
	f := &fixture{t: t, archives: filepath.Join(top, "archives"), builds: filepath.Join(top, "builds"), builder: &builder{}}
	o := snapshots.Options{
		Dir: f.archives, Builds: f.builds, Builder: f.builder,
		Credential: func(string, string) (*syscall.Credential, error) { return nil, nil },
	}
	for _, change := range change {
		change(&o)
	}
	f.Store = snapshots.New(o)
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) receive(text string) *snapshots.Archive {
	f.t.Helper()
	a, err := f.Receive(strings.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// put receives and builds a snapshot.
func (f *fixture) put(user, app, id, text string) builds.Result {
	f.t.Helper()
	built, err := f.Build(f.t.Context(), f.receive(text), snapshots.Request{User: user, App: app, ID: id}, io.Discard)
	if err != nil {
		f.t.Fatal(err)
	}
	return built
}

// write creates an empty file and the folders above it.
func (f *fixture) write(parts ...string) {
	f.t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// files returns the paths of all files and links below a folder, and of its empty
// folders.
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

// holds fails the test unless a folder has exactly these files.
func (f *fixture) holds(top string, want ...string) {
	f.t.Helper()
	slices.Sort(want)
	if got := files(f.t, top); !slices.Equal(got, want) {
		f.t.Errorf("%s contains\n%q, want\n%q", filepath.Base(top), got, want)
	}
}
