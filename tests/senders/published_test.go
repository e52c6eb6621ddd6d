package senders

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers"
	"github.com/nodejitsu/webhooks/providers/receive"
	"github.com/nodejitsu/webhooks/providers/travis"
	"github.com/nodejitsu/webhooks/tests/internal/publishedtest"
)

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
	for _, p := range publishedtest.Payloads(t) {
		d, err := receiveFrom(t, p.Body, p.Header)
		if err != nil || d.Event.Provider != p.Provider() || d.Event.Kind != p.Kind() || d.Event.Name != p.Event {
			t.Errorf("%s with %v: got %s %s %q, %v; want %s %s %q", p.File, p.Header, d.Event.Provider, d.Event.Kind, d.Event.Name, err, p.Provider(), p.Kind(), p.Event)
			continue
		}
		kinds[d.Event.Kind]++
		if d.Event.Kind == core.EventPush {
			checkPush(t, p, d.Event)
		}
		bare, err := receiveFrom(t, p.Body, http.Header{})
		switch {
		case err != nil && core.CodeOf(err) != core.CodeProviderNotSupported:
			t.Errorf("%s without headers: %v", p.File, err)
		case err == nil && bare.Event.Provider != p.Provider():
			t.Errorf("%s without headers is taken for one of %s", p.File, bare.Event.Provider)
		}
	}
	if kinds[core.EventPush] < 30 || kinds[core.EventBuild] < 3 || kinds[core.EventOther] < 150 {
		t.Errorf("too few payloads: %v", kinds)
	}
	t.Logf("%v", kinds)
}

// checkPush compares the event of a push with what encoding/json reads.
func checkPush(t *testing.T, p publishedtest.Payload, e core.Event) {
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
	if err := json.Unmarshal(p.Body, &body); err != nil {
		t.Fatalf("%s: %v", p.File, err)
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
		t.Errorf("%s: got %s %s %s, deleted is %t; want %s %s %s", p.File, e.Repository.Slug(), e.Ref, e.Commit.ID, e.Deleted, slug, ref, after)
	}
}

// Payloads of senders that are not supported are refused.
func TestPublishedPayloadsOfOtherSenders(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		filepath.Join(publishedtest.ModuleDir(t, publishedtest.PlayModule), "testdata", "azuredevops", "*.json"),
		filepath.Join(publishedtest.ModuleDir(t, publishedtest.PlayModule), "testdata", "docker", "*.json"),
		filepath.Join(publishedtest.ModuleDir(t, publishedtest.ScmModule), "scm", "driver", "azure", "testdata", "webhooks", "*.json"),
		filepath.Join(publishedtest.ModuleDir(t, publishedtest.ScmModule), "scm", "driver", "harness", "testdata", "webhooks", "*.json"),
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
	files, err := filepath.Glob(filepath.Join(publishedtest.ModuleDir(t, publishedtest.ScmModule), "scm", "driver", "gitee", "testdata", "webhooks", "*.json"))
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
