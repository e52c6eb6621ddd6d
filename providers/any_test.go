package providers_test

import (
	"context"
	"fmt"
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
)

// The complete receiver of the webhooks of any sender.
func ExampleAny() {
	secret := core.NewSecret("It's a Secret to Everybody") // in a program: from its settings
	http.Handle("POST /webhooks", providers.Any(secret).Handler(func(_ context.Context, e core.Event) error {
		fmt.Println(e.Provider, e.Kind, e.Repository.Slug(), e.Branch)
		return nil
	}))

	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/webhooks", strings.NewReader(`{
		"object_kind": "push", "ref": "refs/heads/main", "after": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
		"project": {"path_with_namespace": "acme/hello"}
	}`))
	r.Header.Set("X-Gitlab-Event", "Push Hook")
	r.Header.Set("X-Gitlab-Token", "It's a Secret to Everybody")
	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// gitlab push acme/hello main
	// 204
}

// headers returns the headers with which the delivery in a file arrives.
func headers(provider, file string) http.Header {
	event, _, _ := strings.Cut(strings.TrimSuffix(file, ".json"), "-")
	h := http.Header{}
	switch provider {
	case "github":
		h.Set("X-GitHub-Event", event)
	case "gitlab":
		h.Set("X-Gitlab-Event", "Some Hook")
	case "gitea":
		for _, name := range []string{"X-Gitea-Event", "X-Gogs-Event", "X-GitHub-Event"} {
			h.Set(name, event)
		}
	case "bitbucket":
		key, _, _ := strings.Cut(strings.TrimSuffix(file, ".json"), ".")
		h.Set("X-Event-Key", strings.Replace(key, "-", ":", 1))
	case "travis":
		h.Set("Travis-Repo-Slug", "o/n")
	}
	return h
}

// resembles reports whether the payload in a file is known without its headers.
func resembles(provider, file string) bool {
	for _, prefix := range map[string][]string{
		"github": {"push", "ping"}, "gitea": {"push"}, "travis": {""}, "bitbucket": {"repo-push", "repo-refs", "pr-"},
		"gitlab": {"push", "tag_push", "pipeline", "merge_request", "access_token", "system-push"},
	}[provider] {
		if strings.HasPrefix(file, prefix) {
			return true
		}
	}
	return false
}

// Each payload is read by the provider of its sender, with its headers and, if it is
// known by its shape, without them; none by another's.
func TestNoDeliveryIsTakenForAnothers(t *testing.T) {
	t.Parallel()
	receiver := providers.Any()
	receiver.Senders = append(receiver.Senders, receive.Sender{Provider: travis.Provider{}})
	receiver.Unsigned = true
	files, err := filepath.Glob("*/testdata/*.json")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	for _, path := range files {
		payload, err := os.ReadFile(path) //nolint:gosec // a file of the test
		if err != nil {
			t.Fatal(err)
		}
		provider, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		for _, header := range []http.Header{headers(provider, filepath.Base(path)), nil} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(payload)))
			r.Header = header
			d, err := receiver.Receive(httptest.NewRecorder(), r)
			switch {
			case header == nil && !resembles(provider, filepath.Base(path)):
				if core.CodeOf(err) != core.CodeProviderNotSupported {
					t.Errorf("%s without headers: %+v, %v", path, d.Event, err)
				}
			case err != nil || string(d.Event.Provider) != provider:
				t.Errorf("%s with %v: %+v, %v", path, header, d.Event, err)
			}
		}
	}
}
