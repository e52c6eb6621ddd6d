package e2e

import (
	"compress/gzip"
	"maps"
	"strings"
	"testing"
)

// Events that do not deploy are accepted and stored with the reason, and can be
// looked up.
func TestEventsThatDoNotDeploy(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	// A report of a build does not say which branch is the default: GitHub does.
	h.repository("nothing-here")
	if err := h.SetDefaultBranch(t.Context(), user, "nothing-here", "master"); err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("0", 40)
	tests := []struct {
		name   string
		query  string
		header map[string]string
		body   object
		status string
		reason string // a part of it
	}{
		{"ping", "", event("ping"), object{"zen": "Keep it logically awesome.", "hook_id": 1}, "ok", "tests the webhook"},
		{
			"test of Gitea", "", map[string]string{"X-Gitea-Event": "push"}, object{
				"ref": "refs/heads/main", "before": strings.Repeat("a", 40), "after": strings.Repeat("a", 40),
				"repository": object{"name": "nothing-here", "owner": object{"login": user}, "html_url": "https://github.com/" + user + "/nothing-here"},
			}, "ok", "tests the webhook",
		},
		{"ping of an organization", "", event("ping"), object{"zen": "x", "hook_id": 2, "organization": object{"login": "o"}}, "ok", ""},
		{"other branch", "", event("push"), push(object{"ref": "refs/heads/feature/a"}), "ignored", `"feature/a"`},
		{"branch parameter", "?branch=production", event("push"), push(nil), "ignored", `"production"`},
		{"tag", "", event("push"), push(object{"ref": "refs/tags/v1"}), "ignored", "tag"},
		{"deleted", "", event("push"), push(object{"deleted": true, "after": zeros, "head_commit": nil, "commits": []any{}}), "ignored", "deletes"},
		{"pull request", "", event("pull_request"), object{"action": "opened", "repository": push(nil)["repository"]}, "ignored", "pull_request"},
		{"unknown event", "", event("brand_new_event"), object{"anything": []int{1}}, "ignored", "brand_new_event"},
		{"build of a pull request", "", nil, build(object{"type": "pull_request", "pull_request": true, "pull_request_number": 3}), "ignored", "pull request"},
		{"old build of a pull request", "", nil, object{
			"id": 7, "number": "7", "status": 0, "status_message": "Passed", "commit": strings.Repeat("c", 40), "branch": "master",
			"compare_url": "https://github.com/dscape/nothing-here/pull/3", "matrix": []any{}, "config": object{},
			"repository": object{"id": 1, "name": "nothing-here", "owner_name": "dscape"},
		}, "ignored", "pull request"},
		{"build of a tag", "", nil, build(object{"id": 2, "tag": "v1", "branch": "v1"}), "ignored", "tag"},
		{"build that started", "", nil, build(object{"id": 3, "state": "started", "status": nil, "status_message": "Pending", "result": nil, "result_message": "Pending"}), "ignored", "not ended"},
		{"cron build", "", nil, build(object{"id": 4, "type": "cron"}), "ignored", "cron"},
		{"failed build", "", nil, build(object{"id": 5, "state": "failed", "status": 1, "status_message": "Broken"}), "skipped", "failed"},
		{"errored build", "", nil, build(object{"id": 6, "state": "errored", "status": 1, "status_message": "Errored"}), "skipped", "errored"},
		{"canceled build", "", nil, build(object{"id": 8, "state": "canceled", "status": nil, "status_message": "Canceled"}), "skipped", "canceled"},
		{"passed build of another branch", "", nil, build(object{"id": 9, "branch": "feature"}), "ignored", `"feature"`},
	}
	for _, test := range tests {
		for way, send := range map[string]func(string) request{
			"json": func(body string) request { return request{body: body} },
			"form": func(body string) request { return request{body: form(body), header: formType} },
		} {
			if way == "form" && test.name != "ping" && test.name != "failed build" {
				continue // one of each provider is enough: the reading is the same
			}
			t.Run(test.name+", "+way, func(t *testing.T) {
				r := send(text(t, test.body))
				r.path = "/1/deploy" + test.query
				headers := map[string]string{}
				maps.Copy(headers, r.header)
				maps.Copy(headers, test.header)
				r.header = headers
				got := s.send(r)
				if got.status != 200 {
					t.Fatalf("got %d %s", got.status, got.body)
				}
				change := got.json(t)
				if change["status"] != test.status {
					t.Fatalf("got %s, want status %q", got.body, test.status)
				}
				if reason, _ := change["reason"].(string); !strings.Contains(reason, test.reason) {
					t.Errorf("the reason %q does not mention %q", reason, test.reason)
				}
				if commit, _ := change["commit"].(string); strings.HasSuffix(commit, "/") || test.name == "ping" && commit != "" {
					t.Errorf("the commit is %q", commit)
				}
				id, _ := change["id"].(string)
				entry := s.send(request{path: strings.TrimPrefix(id, s.api)})
				if entry.status != 200 || entry.json(t)["doc"] == nil {
					t.Errorf("looked up: %d %s", entry.status, entry.body)
				}
			})
		}
	}
}

// Bodies that are not deliveries are refused with a code that says why.
func TestInvalidBodies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	deep := strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000)
	for name, test := range map[string]struct {
		body   string
		header map[string]string
		status int
		code   string
	}{
		"empty":                {"", nil, 400, "deploy:no_payload"},
		"blank":                {" \r\n\t", nil, 400, "deploy:no_payload"},
		"empty payload field":  {"payload=", formType, 400, "deploy:no_payload"},
		"other JSON":           {`{"hello":"world"}`, nil, 400, "deploy:provider:not_supported"},
		"array":                {`[1,2,3]`, nil, 400, "deploy:provider:not_supported"},
		"cut off":              {text(t, push(nil))[:200], event("push"), 400, "deploy:provider:not_supported"},
		"cut off, no header":   {text(t, push(nil))[:200], nil, 400, "deploy:provider:not_supported"},
		"not UTF-8":            {"{\"ref\":\"refs/heads/\xff\xfe\"}", event("push"), 400, "deploy:provider:not_supported"},
		"nested deeply":        {deep, nil, 400, "deploy:provider:not_supported"},
		"nested deeply, event": {deep, event("push"), 400, "deploy:provider:not_supported"},
		"no JSON":              {"<xml/>", nil, 400, "deploy:provider:not_supported"},
		"push with a bad name": {text(t, push(object{"repository": object{"name": "../../etc", "owner": object{"login": "x"}}})), event("push"), 400, "deploy:provider:not_supported"},
		"push with a bad sha":  {text(t, push(object{"after": "HEAD; rm -rf /"})), event("push"), 400, "deploy:provider:not_supported"},
		"30 MiB":               {`{"a":"` + strings.Repeat("x", 30<<20) + `"}`, nil, 413, "deploy:payload:too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.send(request{method: "POST", path: "/1/deploy", body: test.body, header: test.header})
			failure := got.json(t)
			if got.status != test.status || failure["error"] != test.code {
				t.Fatalf("got %d %s, want %d %s", got.status, got.body, test.status, test.code)
			}
			if reason, _ := failure["reason"].(string); reason == "" {
				t.Error("there is no reason")
			}
			if failure["uuid"] != got.header.Get("x-api-uuid") || got.header.Get("x-api-version") == "" {
				t.Errorf("the headers do not fit: %v %s", got.header, got.body)
			}
		})
	}
	t.Run("gzip", func(t *testing.T) {
		var packed strings.Builder
		w := gzip.NewWriter(&packed)
		if _, err := w.Write([]byte(text(t, push(nil)))); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got := s.send(request{path: "/1/deploy", body: packed.String(), header: map[string]string{"Content-Encoding": "gzip"}})
		if got.status != 415 {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
}
