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

func TestBuildKeepsTheSnapshot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	archive := b.receive("x=1")
	if archive.Size != 3 || archive.MD5 != "a255512f9d61a6777bd5a304235bd26d" {
		t.Errorf("archive %+v", archive)
	}
	var out bytes.Buffer
	built, err := b.Build(t.Context(), archive, snapshots.Request{User: "me", App: "app", ID: "1.0.0"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.builds, "me", "app", "1.0.0")
	if built.Dir != dir || built.Node != "/bin/node" || built.NodeVersion != "20.0.0" || b.BuiltDir("me", "app", "1.0.0") != dir {
		t.Errorf("built %+v in %s", built, b.BuiltDir("me", "app", "1.0.0"))
	}
	if out.String() != "building x=1" {
		t.Errorf("output %q", out.String())
	}
	if err := archive.Discard(); err != nil { // what is kept stays
		t.Error(err)
	}
	file, err := b.Open("me", "app", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil || string(text) != "x=1" {
		t.Errorf("the archive holds %q, %v", text, err)
	}
	b.holds(b.archives, ".incoming", "me/app/1.0.0.tgz")
	b.holds(b.builds, "me/app/1.0.0/x")
	for path, want := range map[string]os.FileMode{
		b.archives + "/.incoming": 0o700, b.archives + "/me": 0o700, b.archives + "/me/app/1.0.0.tgz": 0o600,
		b.builds: 0o711, b.builds + "/me": 0o711, b.builds + "/me/app": 0o711,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v; %v", path, info.Mode().Perm(), want, err)
		}
	}
}

func TestOpenTellsOfNone(t *testing.T) {
	t.Parallel()
	if _, err := setup(t).Open("me", "app", "none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// The folders that an app's builds have in common are the app's.
func TestBuildTellsWhatIsShared(t *testing.T) {
	t.Parallel()
	as := &syscall.Credential{Uid: 7}
	b := setup(t, func(o *snapshots.Options) {
		o.Credential = func(_, app string) (*syscall.Credential, error) {
			if app == "lost" {
				return nil, errNoBuild
			}
			return as, nil
		}
	})
	b.put("me", "app", "1", "x=1")
	b.put("me", "other", "1", "x=1")
	for i, app := range []string{"app", "other"} {
		got, dir := b.builder.seen[i], filepath.Join(b.builds, "me", app)
		if got.Dir != dir+"/1" || got.Home != dir+"/.home" || got.Dependencies != depcache.Cache(dir+"/.dependencies") || got.Credential != as {
			t.Errorf("app %s is built with %+v", app, got)
		}
	}
	if _, err := b.Build(t.Context(), b.receive("x"), snapshots.Request{User: "me", App: "lost", ID: "1"}, io.Discard); !errors.Is(err, errNoBuild) {
		t.Errorf("without a user: %v", err)
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *snapshots.Options) { o.MaxSize = 1 << 20 })
	if err := b.receive(strings.Repeat("x", 1<<20)).Discard(); err != nil {
		t.Error(err)
	}
	for name, test := range map[string]struct {
		body io.Reader
		code core.Code
		want string
	}{
		"too large":  {strings.NewReader(strings.Repeat("x", 1<<20+1)), core.CodePlatformTooLarge, "larger than 1 MiB"},
		"empty":      {strings.NewReader(""), core.CodePlatformInvalid, "empty"},
		"broken off": {io.MultiReader(strings.NewReader("four"), iotest.ErrReader(errNoBuild)), core.CodePlatformIncomplete, "after 4 bytes"},
		"cut off":    {iotest.ErrReader(io.ErrUnexpectedEOF), core.CodePlatformIncomplete, "after 0 bytes"},
	} {
		a, err := b.Receive(test.body)
		if a != nil || core.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	b.holds(b.archives, ".incoming")
}

func TestReceiveTellsOfTheDisk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := os.Remove(filepath.Join(b.archives, ".incoming")); err != nil {
		t.Fatal(err)
	}
	_, err := b.Receive(strings.NewReader("x"))
	if err == nil || core.CodeOf(err) == core.CodePlatformInvalid {
		t.Errorf("error %v, which is not the sender's", err)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"fail", "break"} {
		b := setup(t)
		b.put("me", "app", "kept", "x=1")
		archive := b.receive(text)
		_, err := b.Build(t.Context(), archive, snapshots.Request{User: "me", App: "app", ID: "bad"}, io.Discard)
		if theirs := core.CodeOf(err) == core.CodePlatformBuildFailed; theirs != (text == "fail") || !theirs && !errors.Is(err, errNoBuild) {
			t.Errorf("%s: %v", text, err)
		}
		if err := archive.Discard(); err != nil {
			t.Error(err)
		}
		b.holds(b.archives, ".incoming", "me/app/kept.tgz")
		b.holds(b.builds, "me/app/kept/x")
	}
}

func TestBuildThatCantBeKeptLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.builder.after = func(builds.Snapshot) error {
		b.write(b.archives, "me") // a file instead of the folder
		return nil
	}
	archive := b.receive("x=1")
	if _, err := b.Build(t.Context(), archive, snapshots.Request{User: "me", App: "app", ID: "1"}, io.Discard); err == nil {
		t.Error("no error")
	}
	if err := archive.Discard(); err != nil {
		t.Error(err)
	}
	b.holds(b.archives, ".incoming", "me")
	b.holds(b.builds, "me/app")
}

func TestBuildReplacesWhatIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write(b.builds, "me", "app", "1", "left", "over") // by a server that was killed
	b.write(b.archives, "me", "app", "1.tgz")
	b.put("me", "app", "1", "x=1")
	b.put("me", "app", "2", "x=2")
	b.put("me", "app", "1", "y=3")
	b.holds(b.builds, "me/app/1/y", "me/app/2/x")
	b.holds(b.archives, ".incoming", "me/app/1.tgz", "me/app/2.tgz")
}

// printer receives what a build prints.
type printer chan string

// Write receives what is printed.
func (p printer) Write(text []byte) (int, error) {
	p <- string(text)
	return len(text), nil
}

// A user whose builds hang leaves a slot to others, and a build that waits says so.
func TestBuildsOfOneUserLeaveAPlace(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *snapshots.Options) { o.AtOnce = 2 })
	b.builder.begun, b.builder.proceed = make(chan struct{}, 5), make(chan struct{})
	var all sync.WaitGroup
	build := func(ctx context.Context, user, id string) (printed printer, failed chan error) {
		printed, failed = make(printer, 5), make(chan error, 1)
		archive := b.receive("x=1")
		all.Go(func() {
			_, err := b.Build(ctx, archive, snapshots.Request{User: user, App: "app", ID: id}, printed)
			failed <- err
		})
		return printed, failed
	}
	_, first := build(t.Context(), "eve", "1")
	<-b.builder.begun
	waits, second := build(t.Context(), "eve", "2")
	if line := <-waits; line != "Waiting for other builds\n" {
		t.Errorf("eve's second build prints %q", line)
	}
	begins, other := build(t.Context(), "me", "1")
	<-b.builder.begun

	ctx, cancel := context.WithCancel(t.Context())
	waits, gone := build(ctx, "you", "1")
	<-waits
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("while others build: %v", err)
	}
	close(b.builder.proceed)
	if line := <-begins; line != "building x=1" {
		t.Errorf("my build prints %q", line)
	}
	for _, failed := range []chan error{first, second, other} {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	b.holds(b.builds, "eve/app/1/x", "eve/app/2/x", "me/app/1/x")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// Names that begin alike, or hold what is a part of others.
	for _, id := range []string{"1", "1.0", "1-a", "10"} {
		b.put("me", "app", id, "x=1")
	}
	b.put("me", "app.2", "1", "x=1")
	b.put("me2", "app", "1", "x=1")
	for range 2 { // what is gone is not an error
		if err := b.Remove("me", "app", "1"); err != nil {
			t.Error(err)
		}
	}
	b.holds(b.archives, ".incoming", "me/app/1.0.tgz", "me/app/1-a.tgz", "me/app/10.tgz", "me/app.2/1.tgz", "me2/app/1.tgz")
	b.holds(b.builds, "me/app/1.0/x", "me/app/1-a/x", "me/app/10/x", "me/app.2/1/x", "me2/app/1/x")
	b.write(b.builds, "me", "app", ".home", "cache")
	b.write(b.builds, "me", "app", ".dependencies", "next-1", "x")
	for range 2 {
		if err := b.RemoveApp("me", "app"); err != nil {
			t.Error(err)
		}
	}
	b.holds(b.archives, ".incoming", "me/app.2/1.tgz", "me2/app/1.tgz")
	b.holds(b.builds, "me/app.2/1/x", "me2/app/1/x")
}

// tree is the name of one in an app's shared dependencies.
func tree(letter string) string { return ".dependencies/" + strings.Repeat(letter, 64) }

func TestRemoveRemovesDependencies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := filepath.Join(b.builds, "me", "app")
	for _, id := range []string{"1", "2", "3"} {
		b.put("me", "app", id, "x=1")
	}
	for _, use := range []string{tree("a") + "/uses/1", tree("a") + "/uses/2", tree("b") + "/uses/3"} {
		b.write(app, use)
	}
	b.write(app, ".dependencies/next-1/half") // another build makes it
	for _, test := range []struct {
		id   string
		want []string
	}{
		{"1", []string{tree("a") + "/uses/2", tree("b") + "/uses/3", "2/x", "3/x"}},
		{"2", []string{tree("b") + "/uses/3", "3/x"}},
		{"3", nil},
	} {
		if err := b.Remove("me", "app", test.id); err != nil {
			t.Fatal(err)
		}
		b.holds(app, append(test.want, ".dependencies/next-1/half")...)
	}
}
