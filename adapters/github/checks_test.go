package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func TestDefaultBranch(t *testing.T) {
	t.Parallel()
	server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/repos/octo/hello" {
			answer(w, http.StatusNotFound, `{"message":"Not Found"}`)
			return
		}
		answer(w, http.StatusOK, `{"id":1,"default_branch":"trunk"}`)
	})
	client := newClient(t, github.Options{BaseURL: server.URL})
	if got, err := client.DefaultBranch(t.Context(), repo(), token); err != nil || got != "trunk" {
		t.Errorf("got %q, %v", got, err)
	}
	other := repo()
	other.Name = "other"
	if _, err := client.DefaultBranch(t.Context(), other, token); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("got %v, want %v", err, core.ErrNotFound)
	}
	other.Name = ".."
	if _, err := client.DefaultBranch(t.Context(), other, token); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("got %v, want %v", err, core.ErrNotFound)
	}
}

// run is a workflow run as GitHub lists it.
func run(path, event, status, conclusion string, headRepository int) string {
	if conclusion != "null" {
		conclusion = `"` + conclusion + `"`
	}
	return fmt.Sprintf(`{"name":"CI","path":%q,"run_number":7,"event":%q,"head_branch":"main","run_started_at":"2026-11-22T08:26:41Z",
		"status":%q,"conclusion":%s,"html_url":"https://x/1","repository":{"id":1},"head_repository":{"id":%d}}`, path, event, status, conclusion, headRepository)
}

func TestChecks(t *testing.T) {
	t.Parallel()
	pages := map[string][]string{
		"1": {
			run("a.yml", "push", "completed", "success", 1), run("a.yml", "push", "completed", "failure", 1), // a re-run that passed
			run("b.yml", "pull_request", "completed", "failure", 2), // of a fork
			run("c.yml", "push", "in_progress", "null", 1),
		},
		"2": {
			run("d.yml@main", "push", "completed", "cancelled", 1), run("e.yml", "schedule", "completed", "skipped", 1),
			run("f.yml", "push", "completed", "timed_out", 1), run("a.yml", "schedule", "completed", "failure", 1),
		},
	}
	server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("page")
		switch {
		case strings.HasSuffix(r.URL.Path, "/repos/octo/hello/actions/runs") && r.URL.Query().Get("head_sha") == commit:
			if page == "1" {
				w.Header().Set("Link", fmt.Sprintf(`<%s/x?page=2>; rel="next"`, "http://"+r.Host))
			}
			answer(w, http.StatusOK, `{"total_count":8,"workflow_runs":[`+strings.Join(pages[page], ",")+`]}`)
		case strings.HasSuffix(r.URL.Path, "/repos/octo/hello/commits/"+commit+"/status"):
			answer(w, http.StatusOK, `{"state":"pending","statuses":[
				{"context":"ci/other","state":"success","target_url":"https://x/2"},{"context":"webhooks/deploy","state":"failure"},{"context":"lint","state":"pending"},{"context":"cover","state":"error"}]}`)
		default:
			answer(w, http.StatusNotFound, `{"message":"Not Found"}`)
		}
	})
	client := newClient(t, github.Options{BaseURL: server.URL})
	got, err := client.Checks(t.Context(), repo(), commit, token)
	if err != nil {
		t.Fatal(err)
	}
	listed := func(key, event string, state deploy.CheckState, detail string) deploy.Check {
		return deploy.Check{
			Key: key, Name: "CI", Run: "7", Event: event, Branch: "main", State: state, Detail: detail,
			Since: time.Date(2026, 11, 22, 8, 26, 41, 0, time.UTC), URL: "https://x/1", Own: true,
		}
	}
	want := []deploy.Check{
		listed("a.yml", "push", deploy.CheckPassed, "success"),
		listed("c.yml", "push", deploy.CheckRunning, "in_progress"),
		listed("d.yml", "push", deploy.CheckCanceled, "cancelled"),
		listed("e.yml", "schedule", deploy.CheckNeutral, "skipped"),
		listed("f.yml", "push", deploy.CheckFailed, "timed_out"),
		listed("a.yml", "schedule", deploy.CheckFailed, "failure"),
		{Key: "status:ci/other", Name: "ci/other", State: deploy.CheckPassed, Detail: "success", URL: "https://x/2"},
		{Key: "status:lint", Name: "lint", State: deploy.CheckRunning, Detail: "pending"},
		{Key: "status:cover", Name: "cover", State: deploy.CheckFailed, Detail: "error"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	other := repo()
	other.Name = "other"
	if _, err := client.Checks(t.Context(), other, commit, token); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("got %v, want %v", err, core.ErrNotFound)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for api, want := range map[string][]string{
		"": {"github.com"}, "https://api.github.com/": {"github.com"}, "https://GHE.example.com/api/v3/": {"ghe.example.com"},
		"https://api.octocorp.ghe.com/": {"octocorp.ghe.com"}, "https://ghe.example.com:8443/api/v3/": {"ghe.example.com:8443"},
		"http://127.0.0.1:3000/": {"github.com", "127.0.0.1:3000"}, "http://localhost:3000": {"github.com", "localhost:3000"},
	} {
		client := newClient(t, github.Options{BaseURL: api})
		if got := client.Hosts(); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", api, got, want)
		}
		if got := client.Pairing(); got.Host != want[0] || got.Kind != core.TokenGitHub {
			t.Errorf("%q: got %+v", api, got)
		}
	}
}

func TestTokenForm(t *testing.T) {
	t.Parallel()
	is := newClient(t, github.Options{}).Pairing().IsToken
	for text, want := range map[string]bool{
		"ghp_0123456789abcdefghijklmnopqrstuvwxyz": true, "github_pat_11AA_x": true, strings.Repeat("0a", 20): true,
		"hunter2": false, "ghp_": false, strings.Repeat("0A", 20): false, "": false,
	} {
		if is(text) != want {
			t.Errorf("%q: got %t", text, !want)
		}
	}
}

// Checks are polled while a push is held, and GitHub counts no request whose answer is
// the same as before.
func TestChecksThatDidNotChange(t *testing.T) {
	t.Parallel()
	conclusion, counted := "", 0
	server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"statuses":[]}`
		if strings.HasSuffix(r.URL.Path, "/actions/runs") {
			body = `{"workflow_runs":[` + run("a.yml", "push", "completed", conclusion, 1) + `]}`
		}
		etag := fmt.Sprintf(`W/"%x"`, len(body))
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		counted++
		answer(w, http.StatusOK, body)
	})
	client := newClient(t, github.Options{BaseURL: server.URL})
	for _, test := range []struct {
		conclusion string
		counted    int
		want       deploy.CheckState
	}{
		{"cancelled", 2, deploy.CheckCanceled}, {"cancelled", 0, deploy.CheckCanceled}, {"success", 1, deploy.CheckPassed}, {"success", 0, deploy.CheckPassed},
	} {
		conclusion, counted = test.conclusion, 0
		got, err := client.Checks(t.Context(), repo(), commit, token)
		if err != nil || len(got) != 1 || got[0].State != test.want || counted != test.counted {
			t.Errorf("%s: got %+v, %v, %d requests counted", test.conclusion, got, err, counted)
		}
	}
}
