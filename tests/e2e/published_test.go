package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// published returns GitHub's own examples of its payloads by event: those of
// github.com and of the GitHub Enterprise servers, each once.
func published(t *testing.T) map[string][]string {
	t.Helper()
	npm := exec.CommandContext(t.Context(), "npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts",
		"@octokit/webhooks-examples@7.6.1")
	npm.Dir = t.TempDir()
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", npm.Args, err, out)
	}
	files, err := filepath.Glob(filepath.Join(npm.Dir, "node_modules/@octokit/webhooks-examples/*/index.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	payloads := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var events []struct {
			Name     string            `json:"name"`
			Examples []json.RawMessage `json:"examples"`
		}
		if err := json.Unmarshal(text, &events); err != nil {
			t.Fatal(err)
		}
		for _, event := range events {
			for _, example := range event.Examples {
				if !seen[event.Name+string(example)] {
					seen[event.Name+string(example)] = true
					payloads[event.Name] = append(payloads[event.Name], string(example))
				}
			}
		}
	}
	if len(seen) < 300 {
		t.Fatalf("found %d examples only", len(seen))
	}
	return payloads
}

// Each of GitHub's examples gets a sensible answer in either form, and only
// what names a branch to deploy is tried.
func TestPublishedPayloads(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	deliveries := 0
	for event, payloads := range published(t) {
		for i, payload := range payloads {
			for way, r := range map[string]request{
				"JSON": {body: payload},
				"form": {body: form(payload), header: map[string]string{"Content-Type": formType["Content-Type"]}},
			} {
				if r.header == nil {
					r.header = map[string]string{}
				}
				deliveries++
				r.path = "/1/deploy"
				r.header["X-GitHub-Event"] = event
				r.header["X-GitHub-Delivery"] = "published-" + strconv.Itoa(deliveries)
				got := s.send(r)
				name := event + " " + strconv.Itoa(i) + " as " + way
				var push struct {
					Ref     string `json:"ref"`
					Deleted bool   `json:"deleted"`
				}
				if event == "push" && json.Unmarshal([]byte(payload), &push) == nil &&
					strings.HasPrefix(push.Ref, "refs/heads/") && !push.Deleted {
					if got.status != http.StatusBadGateway || got.json(t)["error"] != "deploy:github:no_pkg_json" {
						t.Errorf("%s: got %d %s; its repository is not there", name, got.status, got.body)
					}
					continue
				}
				want := "ignored"
				if event == "ping" {
					want = "ok"
				}
				if got.status != http.StatusOK || got.json(t)["status"] != want {
					t.Errorf("%s: got %d %s, want it %s", name, got.status, got.body, want)
				}
			}
			// Without the header, as a person posts a saved payload, it is told
			// by its fields alone, and may be nothing that we know.
			got := s.send(request{path: "/1/deploy", body: payload})
			known := event == "push" || got.status == http.StatusOK && (got.json(t)["status"] == "ignored" || event == "ping")
			if !known && got.status != http.StatusBadRequest && got.status != http.StatusNotImplemented {
				t.Errorf("%s %d without its header: got %d %s", event, i, got.status, got.body)
			}
		}
	}
	t.Logf("%d deliveries", deliveries)
}
