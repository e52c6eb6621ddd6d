package snapshots_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

func TestBuildStoresSnapshot(t *testing.T) {
	t.Parallel()
	f := setup(t)
	archive := f.receive("x=1")
	if archive.Size != 3 || archive.MD5 != "a255512f9d61a6777bd5a304235bd26d" {
		t.Errorf("archive %+v", archive)
	}
	var out bytes.Buffer
	built, err := f.Build(t.Context(), archive, snapshots.Request{User: "me", App: "app", ID: "1.0.0"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(f.builds, "me", "app", "1.0.0")
	if built.Dir != dir || built.Node != "/bin/node" || built.NodeVersion != "20.0.0" || f.BuiltDir("me", "app", "1.0.0") != dir {
		t.Errorf("built %+v in %s", built, f.BuiltDir("me", "app", "1.0.0"))
	}
	if out.String() != "building x=1" {
		t.Errorf("output %q", out.String())
	}
	if err := archive.Discard(); err != nil { // has no effect: it was stored
		t.Error(err)
	}
	file, err := f.Open("me", "app", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil || string(text) != "x=1" {
		t.Errorf("got archive %q, %v", text, err)
	}
	f.holds(f.archives, ".incoming", "me/app/1.0.0.tgz")
	f.holds(f.builds, "me/app/1.0.0/x")
	for path, want := range map[string]os.FileMode{
		f.archives + "/.incoming": 0o700, f.archives + "/me": 0o700, f.archives + "/me/app/1.0.0.tgz": 0o600,
		f.builds: 0o711, f.builds + "/me": 0o711, f.builds + "/me/app": 0o711,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v; %v", path, info.Mode().Perm(), want, err)
		}
	}
}

func TestOpenUnknownSnapshot(t *testing.T) {
	t.Parallel()
	if _, err := setup(t).Open("me", "app", "none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v, want os.ErrNotExist", err)
	}
}

// The builds of an app share the home folder and dependencies of that app.
func TestBuildSharedFolders(t *testing.T) {
	t.Parallel()
	as := &syscall.Credential{Uid: 7}
	f := setup(t, func(o *snapshots.Options) {
		o.Credential = func(_, app string) (*syscall.Credential, error) {
			if app == "lost" {
				return nil, errNoBuild
			}
			return as, nil
		}
	})
	f.put("me", "app", "1", "x=1")
	f.put("me", "other", "1", "x=1")
	for i, app := range []string{"app", "other"} {
		got, dir := f.builder.seen[i], filepath.Join(f.builds, "me", app)
		if got.Dir != dir+"/1" || got.Home != dir+"/.home" || got.Dependencies != depcache.Cache(dir+"/.dependencies") || got.Credential != as {
			t.Errorf("app %s is built with %+v", app, got)
		}
	}
	if _, err := f.Build(t.Context(), f.receive("x"), snapshots.Request{User: "me", App: "lost", ID: "1"}, io.Discard); !errors.Is(err, errNoBuild) {
		t.Errorf("credential fails: got error %v, want %v", err, errNoBuild)
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *snapshots.Options) { o.MaxSize = 1 << 20 })
	if err := f.receive(strings.Repeat("x", 1<<20)).Discard(); err != nil {
		t.Error(err)
	}
	for name, test := range map[string]struct {
		body io.Reader
		code core.Code
		want string
	}{
		"too large":  {strings.NewReader(strings.Repeat("x", 1<<20+1)), core.CodePlatformTooLarge, "limit of 1 MiB"},
		"empty":      {strings.NewReader(""), core.CodePlatformInvalid, "empty"},
		"read error": {io.MultiReader(strings.NewReader("four"), iotest.ErrReader(errNoBuild)), core.CodePlatformIncomplete, "after 4 bytes"},
		"short body": {iotest.ErrReader(io.ErrUnexpectedEOF), core.CodePlatformIncomplete, "after 0 bytes"},
	} {
		a, err := f.Receive(test.body)
		if a != nil || core.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	f.holds(f.archives, ".incoming")
}

func TestReceiveDiskError(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if err := os.Remove(filepath.Join(f.archives, ".incoming")); err != nil {
		t.Fatal(err)
	}
	_, err := f.Receive(strings.NewReader("x"))
	if err == nil || core.CodeOf(err) == core.CodePlatformInvalid {
		t.Errorf("got error %v, want one that does not blame the request", err)
	}
}

func TestFailedBuildRemovesSnapshot(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"fail", "break"} {
		f := setup(t)
		f.put("me", "app", "good", "x=1")
		archive := f.receive(text)
		_, err := f.Build(t.Context(), archive, snapshots.Request{User: "me", App: "app", ID: "bad"}, io.Discard)
		if coded := core.CodeOf(err) == core.CodePlatformBuildFailed; coded != (text == "fail") || !coded && !errors.Is(err, errNoBuild) {
			t.Errorf("%s: %v", text, err)
		}
		if err := archive.Discard(); err != nil {
			t.Error(err)
		}
		f.holds(f.archives, ".incoming", "me/app/good.tgz")
		f.holds(f.builds, "me/app/good/x")
	}
}

func TestUnstoredBuildRemovesSnapshot(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.builder.after = func(builds.Snapshot) error {
		f.write(f.archives, "me") // a file instead of the folder
		return nil
	}
	archive := f.receive("x=1")
	if _, err := f.Build(t.Context(), archive, snapshots.Request{User: "me", App: "app", ID: "1"}, io.Discard); err == nil {
		t.Error("no error")
	}
	if err := archive.Discard(); err != nil {
		t.Error(err)
	}
	f.holds(f.archives, ".incoming", "me")
	f.holds(f.builds, "me/app")
}

func TestBuildReplacesSnapshot(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write(f.builds, "me", "app", "1", "left", "over") // left by a server that was killed
	f.write(f.archives, "me", "app", "1.tgz")
	f.put("me", "app", "1", "x=1")
	f.put("me", "app", "2", "x=2")
	f.put("me", "app", "1", "y=3")
	f.holds(f.builds, "me/app/1/y", "me/app/2/x")
	f.holds(f.archives, ".incoming", "me/app/1.tgz", "me/app/2.tgz")
}

// printer is a writer that sends what is written to it.
type printer chan string

// Write sends text.
func (p printer) Write(text []byte) (int, error) {
	p <- string(text)
	return len(text), nil
}

// Hanging builds of one user leave a slot to others, and a build that has to wait
// prints a line.
func TestOneUserLeavesSlot(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *snapshots.Options) { o.AtOnce = 2 })
	f.builder.begun, f.builder.proceed = make(chan struct{}, 5), make(chan struct{})
	var all sync.WaitGroup
	build := func(ctx context.Context, user, id string) (printed printer, failed chan error) {
		printed, failed = make(printer, 5), make(chan error, 1)
		archive := f.receive("x=1")
		all.Go(func() {
			_, err := f.Build(ctx, archive, snapshots.Request{User: user, App: "app", ID: id}, printed)
			failed <- err
		})
		return printed, failed
	}
	_, first := build(t.Context(), "eve", "1")
	<-f.builder.begun
	waits, second := build(t.Context(), "eve", "2")
	if line := <-waits; line != "Waiting for other builds\n" {
		t.Errorf("eve's second build prints %q", line)
	}
	begins, other := build(t.Context(), "me", "1")
	<-f.builder.begun

	ctx, cancel := context.WithCancel(t.Context())
	waits, gone := build(ctx, "you", "1")
	<-waits
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled while waiting: got error %v", err)
	}
	close(f.builder.proceed)
	if line := <-begins; line != "building x=1" {
		t.Errorf("my build prints %q", line)
	}
	for _, failed := range []chan error{first, second, other} {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	f.holds(f.builds, "eve/app/1/x", "eve/app/2/x", "me/app/1/x")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	f := setup(t)
	// Names that are prefixes or parts of each other.
	for _, id := range []string{"1", "1.0", "1-a", "10"} {
		f.put("me", "app", id, "x=1")
	}
	f.put("me", "app.2", "1", "x=1")
	f.put("me2", "app", "1", "x=1")
	for range 2 { // removing it again is not an error
		if err := f.Remove("me", "app", "1"); err != nil {
			t.Error(err)
		}
	}
	f.holds(f.archives, ".incoming", "me/app/1.0.tgz", "me/app/1-a.tgz", "me/app/10.tgz", "me/app.2/1.tgz", "me2/app/1.tgz")
	f.holds(f.builds, "me/app/1.0/x", "me/app/1-a/x", "me/app/10/x", "me/app.2/1/x", "me2/app/1/x")
	f.write(f.builds, "me", "app", ".home", "cache")
	f.write(f.builds, "me", "app", ".dependencies", "next-1", "x")
	for range 2 {
		if err := f.RemoveApp("me", "app"); err != nil {
			t.Error(err)
		}
	}
	f.holds(f.archives, ".incoming", "me/app.2/1.tgz", "me2/app/1.tgz")
	f.holds(f.builds, "me/app.2/1/x", "me2/app/1/x")
}

// tree returns the name of a tree in an app's shared dependencies.
func tree(letter string) string { return ".dependencies/" + strings.Repeat(letter, 64) }

func TestRemoveRemovesDependencies(t *testing.T) {
	t.Parallel()
	f := setup(t)
	app := filepath.Join(f.builds, "me", "app")
	for _, id := range []string{"1", "2", "3"} {
		f.put("me", "app", id, "x=1")
	}
	for _, use := range []string{tree("a") + "/uses/1", tree("a") + "/uses/2", tree("b") + "/uses/3"} {
		f.write(app, use)
	}
	f.write(app, ".dependencies/next-1/half") // being created by another build
	for _, test := range []struct {
		id   string
		want []string
	}{
		{"1", []string{tree("a") + "/uses/2", tree("b") + "/uses/3", "2/x", "3/x"}},
		{"2", []string{tree("b") + "/uses/3", "3/x"}},
		{"3", nil},
	} {
		if err := f.Remove("me", "app", test.id); err != nil {
			t.Fatal(err)
		}
		f.holds(app, append(test.want, ".dependencies/next-1/half")...)
	}
}
