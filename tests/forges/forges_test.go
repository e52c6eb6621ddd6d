package forges

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/bitbucket"
	"github.com/nodejitsu/webhooks/adapters/gitea"
	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/adapters/gitlab"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/tools/forgesim"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

const (
	login = "ada"
	token = "me@example.com:canary-token" // Bitbucket's form; the others take any text
)

func files() map[string]string {
	return map[string]string{
		"package.json": `{"name":"hello"}`, "lib/index.js": "server()", "lib/a b/ü #?&%2e.txt": "odd", "empty": "",
	}
}

// commitTo commits the files and pushes them to remotes, and returns the commit.
func commitTo(t *testing.T, remotes ...string) string {
	t.Helper()
	work := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "--initial-branch", "main")
	for name, text := range files() {
		path := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("add", "--all")
	git("commit", "--quiet", "--message", "first")
	for _, remote := range remotes {
		git("push", "--quiet", remote, "HEAD")
	}
	return git("rev-parse", "HEAD")
}

// words are a forge's words for core's.
type words map[string]string

func (w words) of(theirs string) string {
	for ours, word := range w {
		if word == theirs {
			return ours
		}
	}
	return theirs
}

// checkWords are the words for the states of checks, statusWords for those of statuses.
func checkWords(kind forgesim.Kind) words {
	switch kind {
	case forgesim.GitLab:
		return words{"running": "running", "passed": "success", "failed": "failed", "canceled": "canceled"}
	case forgesim.DataCenter:
		return words{"running": "INPROGRESS", "passed": "SUCCESSFUL", "failed": "FAILED", "canceled": "CANCELLED"}
	case forgesim.Bitbucket:
		return words{"running": "INPROGRESS", "passed": "SUCCESSFUL", "failed": "FAILED", "canceled": "STOPPED"}
	}
	return words{"running": "in_progress", "passed": "success", "failed": "failure", "canceled": "cancelled"}
}

func statusWords(kind forgesim.Kind) words {
	switch kind {
	case forgesim.GitLab:
		return words{"pending": "running", "failure": "failed"}
	case forgesim.Bitbucket, forgesim.DataCenter:
		return words{"pending": "INPROGRESS", "success": "SUCCESSFUL", "failure": "FAILED"}
	}
	return nil
}

func open(t *testing.T, kind forgesim.Kind, address string) deploy.Forge {
	t.Helper()
	var forge interface {
		deploy.Forge
		Close()
	}
	var err error
	switch kind {
	case forgesim.GitLab:
		forge, err = gitlab.New(gitlab.Options{URL: address})
	case forgesim.DataCenter:
		forge, err = bitbucket.NewDataCenter(bitbucket.DataCenterOptions{URL: address})
	case forgesim.Bitbucket:
		forge, err = bitbucket.New(bitbucket.Options{URL: address})
	default:
		forge, err = gitea.New(gitea.Options{URL: address, Gogs: kind == forgesim.Gogs})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	return forge
}

func TestForges(t *testing.T) {
	t.Parallel()
	for kind, owner := range map[forgesim.Kind]string{
		forgesim.GitLab: "acme/web", forgesim.Gitea: "acme", forgesim.Forgejo: "acme", forgesim.Gogs: "acme", forgesim.Bitbucket: "acme", forgesim.DataCenter: "~acme",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			coretest.TestForge(t, func(t *testing.T) coretest.ForgeFixture {
				s, err := forgesim.New(t.Context(), kind, t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				s.AddUser(login, token)
				public, err := s.CreateRepository(t.Context(), owner, "hello", false)
				if err != nil {
					t.Fatal(err)
				}
				private, err := s.CreateRepository(t.Context(), owner, "Secret", true)
				if err != nil {
					t.Fatal(err)
				}
				f := coretest.ForgeFixture{
					Forge:  open(t, kind, s.URL()),
					Public: core.Repository{Forge: s.Host(), Owner: owner, Name: "hello"}, Private: core.Repository{Forge: s.Host(), Owner: owner, Name: "Secret"},
					Token: core.NewSecret(token), Login: login, Files: files(), Branch: "main", Commit: commitTo(t, public, private),
					FailNext: func(*testing.T) { s.Fail(http.StatusTooManyRequests, http.Header{"Retry-After": {"3"}}) },
				}
				if kind == forgesim.Gogs {
					return f
				}
				f.Status = func(*testing.T) (string, string) {
					newest := s.Statuses(owner, "hello", f.Commit)[0]
					return statusWords(kind).of(newest.State), newest.Description
				}
				if err := s.Hook(owner, "hello", "http://"+strings.TrimPrefix(s.URL(), "http://")+"/nowhere", ""); err != nil {
					t.Fatal(err)
				}
				var id int64
				f.SetCheck = func(t *testing.T, state deploy.CheckState) {
					t.Helper()
					c, _, err := s.SetCheck(t.Context(), owner, "hello", forgesim.Check{ID: id, SHA: f.Commit, State: checkWords(kind)[string(state)]})
					if err != nil {
						t.Fatal(err)
					}
					id = c.ID
				}
				return f
			})
		})
	}
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	coretest.TestForge(t, func(t *testing.T) coretest.ForgeFixture {
		s := sim.New(sim.Options{Dir: t.TempDir()})
		if err := s.Start(t.Context(), "127.0.0.1:0", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		s.AddUser(login, "ghp_canary", []string{"repo"})
		public, err := s.CreateRepository(t.Context(), login, "hello", false)
		if err != nil {
			t.Fatal(err)
		}
		private, err := s.CreateRepository(t.Context(), login, "Secret", true)
		if err != nil {
			t.Fatal(err)
		}
		forge, err := github.New(github.Options{BaseURL: s.URL(), ArchiveHosts: []string{s.ArchiveHost()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(forge.Close)
		f := coretest.ForgeFixture{
			Forge: forge, Token: core.NewSecret("ghp_canary"), Login: login, Files: files(), Branch: "main", Commit: commitTo(t, public, private),
			Public:  core.Repository{Forge: core.GitHubHost, Owner: login, Name: "hello"},
			Private: core.Repository{Forge: core.GitHubHost, Owner: login, Name: "Secret"},
			FailNext: func(*testing.T) {
				s.Fail(sim.Matching("GET", "/"), 1, http.StatusTooManyRequests, http.Header{"Retry-After": {"3"}})
			},
		}
		f.Status = func(*testing.T) (string, string) {
			newest := s.Statuses(login, "hello", f.Commit)[0]
			return newest.State, *newest.Description
		}
		var id int64
		f.SetCheck = func(t *testing.T, state deploy.CheckState) {
			t.Helper()
			conclusion := map[deploy.CheckState]string{deploy.CheckPassed: "success", deploy.CheckFailed: "failure", deploy.CheckCanceled: "cancelled"}[state]
			run, _, err := s.SetRun(t.Context(), login, "hello", sim.Run{ID: id, SHA: f.Commit, Conclusion: conclusion})
			if err != nil {
				t.Fatal(err)
			}
			id = run.ID
		}
		return f
	})
}
