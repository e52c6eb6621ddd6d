package coretest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// ForgeFixture is a forge with what [TestForge] expects on it.
type ForgeFixture struct {
	Forge deploy.Forge
	// Public and Private have the same commit with the same files on their default
	// branch. Private can be read with Token only.
	Public, Private core.Repository
	Token           core.Secret // of Login, who may write to both
	Login           string
	Commit          string
	Files           map[string]string // content by path
	Branch          string            // the default branch
	// Status returns the newest status of the commit of Public that CommitStatus has set,
	// in core's words. Nil: the forge has no statuses.
	Status func(t *testing.T) (state, description string)
	// SetCheck sets the state of one check of the commit of Public, a run for a push to
	// Branch. Nil: the forge has no checks.
	SetCheck func(t *testing.T, state deploy.CheckState)
	// FailNext lets the next request fail for a while. Nil: that can't be.
	FailNext func(t *testing.T)
}

// TestForge checks that a forge implements [deploy.Forge]. newFixture is called for
// each test.
func TestForge(t *testing.T, newFixture func(t *testing.T) ForgeFixture) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, ForgeFixture){
		"File": testForgeFile, "Archive": testForgeArchive, "DefaultBranch": testForgeDefaultBranch,
		"CommitStatus": testForgeCommitStatus, "Checks": testForgeChecks, "Login": testForgeLogin,
		"RefusedToken": testForgeRefusedToken, "Cancelled": testForgeCancelled, "Temporary": testForgeTemporary,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t))
		})
	}
}

func missing(r core.Repository) core.Repository {
	r.Name = "no-such-repository"
	return r
}

const noCommit = "dddddddddddddddddddddddddddddddddddddddd"

func testForgeFile(t *testing.T, f ForgeFixture) {
	for path, want := range f.Files {
		for _, r := range []core.Repository{f.Public, f.Private} {
			got, err := f.Forge.File(t.Context(), r, f.Commit, path, f.Token)
			if err != nil || string(got) != want {
				t.Errorf("%s of %s: got %q, %v, want %q", path, r.Slug(), got, err, want)
			}
		}
		if got, err := f.Forge.File(t.Context(), f.Public, f.Commit, path, core.Secret{}); err != nil || string(got) != want {
			t.Errorf("%s without a token: got %q, %v", path, got, err)
		}
	}
	for name, read := range map[string]func() ([]byte, error){
		"file":   func() ([]byte, error) { return f.Forge.File(t.Context(), f.Public, f.Commit, "no/such.file", f.Token) },
		"commit": func() ([]byte, error) { return f.Forge.File(t.Context(), f.Public, noCommit, "package.json", f.Token) },
		"repository": func() ([]byte, error) {
			return f.Forge.File(t.Context(), missing(f.Public), f.Commit, "package.json", f.Token)
		},
		"token": func() ([]byte, error) {
			return f.Forge.File(t.Context(), f.Private, f.Commit, "package.json", core.Secret{})
		},
	} {
		if got, err := read(); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("no such %s: got %q, %v, want %v", name, got, err, core.ErrNotFound)
		}
	}
}

func testForgeArchive(t *testing.T, f ForgeFixture) {
	for _, r := range []core.Repository{f.Public, f.Private} {
		body, err := f.Forge.Archive(t.Context(), r, f.Commit, f.Token)
		if err != nil {
			t.Fatal(err)
		}
		if got := unpack(t, body); !maps.Equal(got, f.Files) {
			t.Errorf("%s: got %v, want %v", r.Slug(), got, f.Files)
		}
	}
	if _, err := f.Forge.Archive(t.Context(), f.Public, noCommit, f.Token); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("no such commit: got %v", err)
	}
	if _, err := f.Forge.Archive(t.Context(), f.Private, f.Commit, core.Secret{}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("without a token: got %v", err)
	}
}

// unpack returns the files of an archive, without its one top folder.
func unpack(t *testing.T, body io.ReadCloser) map[string]string {
	t.Helper()
	defer body.Close() //nolint:errcheck // only read
	zipped, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	files, top := map[string]string{}, ""
	for archive := tar.NewReader(zipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		folder, path, _ := strings.Cut(h.Name, "/")
		if top == "" {
			top = folder
		}
		if folder != top {
			t.Errorf("%q is not in the top folder %q", h.Name, top)
		}
		if h.Typeflag == tar.TypeReg {
			text, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			files[path] = string(text)
		}
	}
}

func testForgeDefaultBranch(t *testing.T, f ForgeFixture) {
	if got, err := f.Forge.DefaultBranch(t.Context(), f.Private, f.Token); err != nil || got != f.Branch {
		t.Errorf("got %q, %v, want %q", got, err, f.Branch)
	}
	if _, err := f.Forge.DefaultBranch(t.Context(), missing(f.Public), f.Token); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("no such repository: got %v", err)
	}
}

func testForgeCommitStatus(t *testing.T, f ForgeFixture) {
	long := strings.Repeat("ü", 2000)
	for _, state := range []string{"pending", "pending", "success", "failure", "inactive"} {
		s := deploy.CommitStatus{App: "hello", State: state, Description: long, TargetURL: "https://hooks.example.com/1"}
		if err := f.Forge.CommitStatus(t.Context(), f.Public, f.Commit, s, f.Token); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		if f.Status == nil {
			continue
		}
		want := state
		if want == "inactive" {
			want = "success" // it has been deployed
		}
		if got, description := f.Status(t); got != want || !strings.HasPrefix(description, "üüü") {
			t.Errorf("got %s %q, want %s", got, description, want)
		}
	}
	checks, err := f.Forge.Checks(t.Context(), f.Public, f.Commit, f.Token)
	if err != nil || len(checks) != 0 {
		t.Errorf("our own status is a check: %+v, %v", checks, err)
	}
}

func testForgeChecks(t *testing.T, f ForgeFixture) {
	if f.SetCheck == nil {
		return
	}
	for _, state := range []deploy.CheckState{deploy.CheckRunning, deploy.CheckPassed, deploy.CheckFailed, deploy.CheckCanceled} {
		f.SetCheck(t, state)
		checks, err := f.Forge.Checks(t.Context(), f.Public, f.Commit, f.Token)
		if err != nil || len(checks) != 1 {
			t.Fatalf("%s: got %+v, %v", state, checks, err)
		}
		if c := checks[0]; c.State != state || !c.Own || c.Key == "" || c.Event != "" && c.Event != "push" || c.Branch != "" && c.Branch != f.Branch {
			t.Errorf("%s: got %+v", state, c)
		}
	}
	if checks, err := f.Forge.Checks(t.Context(), missing(f.Public), f.Commit, f.Token); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("no such repository: got %+v, %v", checks, err)
	}
}

func testForgeLogin(t *testing.T, f ForgeFixture) {
	if login, _, err := f.Forge.Login(t.Context(), f.Token); err != nil || login != f.Login {
		t.Errorf("got %q, %v, want %q", login, err, f.Login)
	}
	if login, _, err := f.Forge.Login(t.Context(), core.Secret{}); !errors.Is(err, core.ErrUnauthorized) {
		t.Errorf("no token: got %q, %v", login, err)
	}
}

// A token that is refused, or that can't be sent, is unauthorized, and in no error.
func testForgeRefusedToken(t *testing.T, f ForgeFixture) {
	for _, token := range []string{"canary-not-a-token", "canary\r\nX: y"} {
		_, _, err := f.Forge.Login(t.Context(), core.NewSecret(token))
		if !errors.Is(err, core.ErrUnauthorized) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v", token, err)
		}
	}
}

func testForgeCancelled(t *testing.T, f ForgeFixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, file := f.Forge.File(ctx, f.Public, f.Commit, "package.json", f.Token)
	_, archive := f.Forge.Archive(ctx, f.Public, f.Commit, f.Token)
	_, branch := f.Forge.DefaultBranch(ctx, f.Public, f.Token)
	for what, err := range map[string]error{"File": file, "Archive": archive, "DefaultBranch": branch} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// A failure that passes is core.Transient, and the next call works.
func testForgeTemporary(t *testing.T, f ForgeFixture) {
	if f.FailNext == nil {
		return
	}
	f.FailNext(t)
	_, err := f.Forge.File(t.Context(), f.Public, f.Commit, "package.json", f.Token)
	if after, again := core.Retryable(err); !again || after <= 0 {
		t.Errorf("got %v, again after %s", err, after)
	}
	if _, err := f.Forge.File(t.Context(), f.Public, f.Commit, "package.json", f.Token); err != nil {
		t.Error(err)
	}
}
