// Package publishedtest reads the payloads of real senders that other modules publish as
// their test data. They are read from the module cache, and no copy of them is kept.
package publishedtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// The modules whose test data are payloads of real senders.
const (
	PlayModule = "github.com/go-playground/webhooks/v6"
	ScmModule  = "github.com/drone/go-scm"
)

// ModuleDir returns the folder of a module in the module cache.
func ModuleDir(t testing.TB, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output() //nolint:gosec // a constant of this package
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// gitLabModule has payloads of GitLab, too. No test imports it: it is downloaded alone,
// without what it depends on.
const gitLabModule = "gitlab.com/gitlab-org/api/client-go@v1.46.0"

// download returns the folder of a module at a version.
func download(t testing.TB, module string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module) //nolint:gosec // a constant of this package
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.Output()
	var answer struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &answer); err != nil || jsonErr != nil || answer.Dir == "" {
		t.Fatalf("go mod download %s: %v %s", module, err, answer.Error)
	}
	return answer.Dir
}

// Payload is a payload with the headers of its delivery.
type Payload struct {
	File, Sender string
	Body         []byte
	Header       http.Header
	Event        string // by the name that the sender has for it
}

// Payloads returns the published payloads of all senders that are supported.
func Payloads(t testing.TB) []Payload {
	t.Helper()
	var all []Payload
	gitLab := download(t, gitLabModule)
	for _, set := range []struct{ dir, senders string }{
		{filepath.Join(ModuleDir(t, PlayModule), "testdata", "SENDER"), "github gitlab gitea gogs bitbucket bitbucket-server"},
		{filepath.Join(ModuleDir(t, ScmModule), "scm", "driver", "SENDER", "testdata", "webhooks"), "github gitlab gitea gogs bitbucket stash"},
		{filepath.Join(gitLab, "testdata", "webhooks"), "gitlab"},
		{filepath.Join(gitLab, "testdata", "systemhooks"), "gitlab"},
	} {
		for sender := range strings.FieldsSeq(set.senders) {
			files, err := filepath.Glob(filepath.Join(strings.Replace(set.dir, "SENDER", sender, 1), "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s has no payloads of %s: %v", set.dir, sender, err)
			}
			for _, file := range files {
				payload, err := os.ReadFile(file) //nolint:gosec // a file of the module cache
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, deliver(file, sender, payload))
			}
		}
	}
	return all
}

// deliver returns a payload with the headers that its sender sends it with.
func deliver(file, sender string, payload []byte) Payload {
	p := Payload{File: file, Sender: sender, Body: payload, Header: http.Header{}}
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	p.Event = strings.TrimSuffix(strings.ReplaceAll(name, "-", "_"), "_event")
	switch action := p.Event; {
	case strings.HasPrefix(action, "branch_"), strings.HasPrefix(action, "tag_"):
		_, p.Event, _ = strings.Cut(action, "_")
	case strings.HasPrefix(action, "push_"):
		p.Event = "push"
	}
	set := func(names ...string) {
		for _, name := range names {
			p.Header.Set(name, p.Event)
		}
	}
	var body struct {
		ObjectKind string `json:"object_kind"`
		EventName  string `json:"event_name"`
		EventKey   string `json:"eventKey"`
	}
	_ = json.Unmarshal(payload, &body)
	switch sender {
	case "github":
		set("X-GitHub-Event")
	case "gitlab":
		p.Event = cmp.Or(body.ObjectKind, body.EventName)
		p.Header.Set("X-Gitlab-Event", "Some Hook")
	case "gitea":
		set("X-Gitea-Event", "X-Gogs-Event", "X-GitHub-Event")
	case "gogs":
		set("X-Gogs-Event")
	case "bitbucket":
		p.Event = map[string]string{
			"push": "repo:push", "repo_push": "repo:push", "repo_commit_status_created": "repo:commit_status_created",
			"repo_commit_status_updated": "repo:commit_status_updated", "create": "repo:push", "delete": "repo:push",
		}[p.Event]
		p.Event = cmp.Or(p.Event, "pullrequest:created")
		set("X-Event-Key")
	default: // Bitbucket Data Center
		p.Event = cmp.Or(body.EventKey, "diagnostics:ping")
		set("X-Event-Key")
	}
	return p
}

// Provider returns the provider of the payload.
func (p Payload) Provider() core.Provider {
	switch p.Sender {
	case "gogs":
		return core.ProviderGitea
	case "bitbucket-server", "stash":
		return core.ProviderBitbucket
	}
	return core.Provider(p.Sender)
}

// Kind returns what kind of event the payload is.
func (p Payload) Kind() core.EventKind {
	switch string(p.Provider()) + " " + p.Event {
	case "github push", "gitlab push", "gitlab tag_push", "gitea push", "gitea delete", "bitbucket repo:push", "bitbucket repo:refs_changed":
		return core.EventPush
	case "github workflow_run", "github check_suite", "github status", "gitlab pipeline", "gitea status", "gitea workflow_run", "bitbucket repo:commit_status_created", "bitbucket repo:commit_status_updated":
		return core.EventBuild
	case "github ping", "bitbucket diagnostics:ping":
		return core.EventPing
	}
	return core.EventOther
}
