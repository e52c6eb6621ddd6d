package senders

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers"
	"github.com/nodejitsu/webhooks/providers/receive"
	"github.com/nodejitsu/webhooks/providers/travis"
)

// The modules whose test data are payloads of real senders.
const (
	playModule = "github.com/go-playground/webhooks/v6"
	scmModule  = "github.com/drone/go-scm"
)

// moduleDir returns the folder of a module in the module cache.
func moduleDir(t testing.TB, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// published is a payload with the headers of its delivery.
type published struct {
	file, sender string
	payload      []byte
	header       http.Header
	event        string // by the name that the sender has for it
}

// payloads returns the published payloads of all senders that are supported.
func payloads(t testing.TB) []published {
	t.Helper()
	var all []published
	for _, set := range []struct{ dir, senders string }{
		{filepath.Join(moduleDir(t, playModule), "testdata", "SENDER"), "github gitlab gitea gogs bitbucket bitbucket-server"},
		{filepath.Join(moduleDir(t, scmModule), "scm", "driver", "SENDER", "testdata", "webhooks"), "github gitlab gitea gogs bitbucket stash"},
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
func deliver(file, sender string, payload []byte) published {
	p := published{file: file, sender: sender, payload: payload, header: http.Header{}}
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	p.event = strings.TrimSuffix(strings.ReplaceAll(name, "-", "_"), "_event")
	switch action := p.event; {
	case strings.HasPrefix(action, "branch_"), strings.HasPrefix(action, "tag_"):
		_, p.event, _ = strings.Cut(action, "_")
	case strings.HasPrefix(action, "push_"):
		p.event = "push"
	}
	set := func(names ...string) {
		for _, name := range names {
			p.header.Set(name, p.event)
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
		p.event = cmp.Or(body.ObjectKind, body.EventName)
		p.header.Set("X-Gitlab-Event", "Some Hook")
	case "gitea":
		set("X-Gitea-Event", "X-Gogs-Event", "X-GitHub-Event")
	case "gogs":
		set("X-Gogs-Event")
	case "bitbucket":
		p.event = map[string]string{
			"push": "repo:push", "repo_push": "repo:push", "repo_commit_status_created": "repo:commit_status_created",
			"repo_commit_status_updated": "repo:commit_status_updated", "create": "repo:push", "delete": "repo:push",
		}[p.event]
		p.event = cmp.Or(p.event, "pullrequest:created")
		set("X-Event-Key")
	default: // Bitbucket Data Center
		p.event = cmp.Or(body.EventKey, "diagnostics:ping")
		set("X-Event-Key")
	}
	return p
}

// provider returns the provider of the payload.
func (p published) provider() core.Provider {
	switch p.sender {
	case "gogs":
		return core.ProviderGitea
	case "bitbucket-server", "stash":
		return core.ProviderBitbucket
	}
	return core.Provider(p.sender)
}

// kind returns what kind of event the payload is.
func (p published) kind() core.EventKind {
	switch string(p.provider()) + " " + p.event {
	case "github push", "gitlab push", "gitlab tag_push", "gitea push", "gitea delete", "bitbucket repo:push", "bitbucket repo:refs_changed":
		return core.EventPush
	case "github workflow_run", "github check_suite", "github status", "gitlab pipeline", "gitea status", "gitea workflow_run", "bitbucket repo:commit_status_created", "bitbucket repo:commit_status_updated":
		return core.EventBuild
	case "github ping", "bitbucket diagnostics:ping":
		return core.EventPing
	}
	return core.EventOther
}

// receiver returns a receiver of the deliveries of all senders, signed or not.
func receiver() *receive.Receiver {
	r := providers.Any()
	r.Senders = append(r.Senders, receive.Sender{Provider: travis.Provider{}})
	r.Unsigned = true
	return r
}

func receiveFrom(t *testing.T, payload []byte, header http.Header) (receive.Delivery, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(payload)))
	r.Header = header
	return receiver().Receive(httptest.NewRecorder(), r)
}

// Each published payload is read as what it is: with its headers by the provider of
// its sender, without them by that one or by none.
func TestPublishedPayloads(t *testing.T) {
	t.Parallel()
	kinds := map[core.EventKind]int{}
	for _, p := range payloads(t) {
		d, err := receiveFrom(t, p.payload, p.header)
		if err != nil || d.Event.Provider != p.provider() || d.Event.Kind != p.kind() || d.Event.Name != p.event {
			t.Errorf("%s with %v: got %s %s %q, %v; want %s %s %q", p.file, p.header, d.Event.Provider, d.Event.Kind, d.Event.Name, err, p.provider(), p.kind(), p.event)
			continue
		}
		kinds[d.Event.Kind]++
		if d.Event.Kind == core.EventPush {
			checkPush(t, p, d.Event)
		}
		bare, err := receiveFrom(t, p.payload, http.Header{})
		switch {
		case err != nil && core.CodeOf(err) != core.CodeProviderNotSupported:
			t.Errorf("%s without headers: %v", p.file, err)
		case err == nil && bare.Event.Provider != p.provider():
			t.Errorf("%s without headers is taken for one of %s", p.file, bare.Event.Provider)
		}
	}
	if kinds[core.EventPush] < 30 || kinds[core.EventBuild] < 3 || kinds[core.EventOther] < 150 {
		t.Errorf("too few payloads: %v", kinds)
	}
	t.Logf("%v", kinds)
}

// checkPush compares the event of a push with what encoding/json reads.
func checkPush(t *testing.T, p published, e core.Event) {
	t.Helper()
	type refValue struct {
		Type, Name string
		Target     struct{ Hash string }
	}
	var body struct {
		Ref, After string
		RefType    string `json:"ref_type"`
		Checkout   string `json:"checkout_sha"`
		Repository struct {
			FullName string `json:"full_name"`
			Slug     string
			Project  struct{ Key string }
		}
		Project struct {
			Path string `json:"path_with_namespace"`
		}
		Push struct {
			Changes []struct{ New, Old *refValue }
		}
		Changes []struct {
			RefID  string `json:"refId"`
			ToHash string `json:"toHash"`
		}
	}
	if err := json.Unmarshal(p.payload, &body); err != nil {
		t.Fatalf("%s: %v", p.file, err)
	}
	slug, ref, after := cmp.Or(body.Repository.FullName, body.Project.Path), body.Ref, body.After
	if body.RefType != "" {
		ref = map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[body.RefType] + strings.TrimPrefix(ref, "refs/heads/")
	}
	if len(body.Push.Changes) > 0 {
		change := cmp.Or(body.Push.Changes[0].New, body.Push.Changes[0].Old)
		ref = map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[change.Type] + change.Name
		if body.Push.Changes[0].New != nil {
			after = change.Target.Hash
		}
	}
	if len(body.Changes) > 0 {
		slug, ref, after = body.Repository.Project.Key+"/"+body.Repository.Slug, body.Changes[0].RefID, body.Changes[0].ToHash
	}
	if strings.Trim(after, "0") == "" || body.RefType != "" {
		after = ""
	}
	if strings.HasPrefix(ref, "refs/tags/") && after != "" {
		after = cmp.Or(body.Checkout, e.Commit.ID) // after may be the id of a tag object
	}
	if e.Repository.Slug() != slug || e.Ref != ref || e.Commit.ID != after || e.Deleted != (after == "") {
		t.Errorf("%s: got %s %s %s, deleted is %t; want %s %s %s", p.file, e.Repository.Slug(), e.Ref, e.Commit.ID, e.Deleted, slug, ref, after)
	}
}

// Payloads of senders that are not supported are refused.
func TestPublishedPayloadsOfOtherSenders(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		filepath.Join(moduleDir(t, playModule), "testdata", "azuredevops", "*.json"),
		filepath.Join(moduleDir(t, playModule), "testdata", "docker", "*.json"),
		filepath.Join(moduleDir(t, scmModule), "scm", "driver", "azure", "testdata", "webhooks", "*.json"),
		filepath.Join(moduleDir(t, scmModule), "scm", "driver", "harness", "testdata", "webhooks", "*.json"),
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no payloads in %s: %v", pattern, err)
		}
		for _, file := range files {
			payload, err := os.ReadFile(file) //nolint:gosec // a file of the module cache
			if err != nil {
				t.Fatal(err)
			}
			if d, err := receiveFrom(t, payload, http.Header{}); core.CodeOf(err) != core.CodeProviderNotSupported {
				t.Errorf("%s is taken for one of %s: %v", file, d.Event.Provider, err)
			}
		}
	}
}

// A sender that imitates GitHub's payloads without its headers has its own forge.
func TestPublishedPayloadsOfImitators(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(moduleDir(t, scmModule), "scm", "driver", "gitee", "testdata", "webhooks", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads: %v", err)
	}
	read := 0
	for _, file := range files {
		payload, err := os.ReadFile(file) //nolint:gosec // a file of the module cache
		if err != nil {
			t.Fatal(err)
		}
		d, err := receiveFrom(t, payload, http.Header{})
		switch {
		case err == nil && d.Event.Repository.Forge != "gitee.com":
			t.Errorf("%s: %+v", file, d.Event.Repository)
		case err == nil:
			read++
		case core.CodeOf(err) != core.CodeProviderNotSupported:
			t.Errorf("%s: %v", file, err)
		}
	}
	if read == 0 {
		t.Error("no payload is read as a push")
	}
}
