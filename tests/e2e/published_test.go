package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tests/internal/publishedtest"
	"github.com/nodejitsu/webhooks/tools/forgesim"
)

// examples returns GitHub's payloads by event, each once: its own examples, of
// github.com and of the GitHub Enterprise servers, and those that others publish.
func examples(t *testing.T) map[string][]string {
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
	for _, p := range publishedtest.Payloads(t) {
		if p.Sender == "github" && !seen[p.Event+string(p.Body)] {
			seen[p.Event+string(p.Body)] = true
			payloads[p.Event] = append(payloads[p.Event], string(p.Body))
		}
	}
	if len(seen) < 400 {
		t.Fatalf("found %d examples only", len(seen))
	}
	return payloads
}

// Each of GitHub's published payloads gets the right answer, as JSON and as a form,
// and only pushes to the default branch are deployed.
func TestPublishedPayloads(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	deliveries := 0
	posted := map[string]bool{}
	all, newest := examples(t), map[string]int64{}
	for _, payload := range all["push"] {
		push := readPush(payload)
		newest[push.branch()] = max(newest[push.branch()], push.pushedAt())
	}
	for event, payloads := range all {
		for i, payload := range payloads {
			push := readPush(payload)
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
				want, code := "ignored", ""
				switch {
				case push.elsewhere():
					code = "deploy:forge:not_configured"
				case event == "ping":
					want = "ok"
				case event == "push" && push.deploys() && push.pushedAt() < newest[push.branch()]:
					continue // it is skipped if the newer one was sent before
				case event == "push" && push.deploys():
					code = "deploy:github:no_pkg_json" // its repository is not there
				}
				got.wants(t, name, want, code)
				got.explains(t, name, publishedtest.Payload{Sender: "github", Event: event})
			}
			// Without the header, as if a person posts a saved payload, its fields
			// decide: it is a push, a ping, or unknown.
			want, code := "ignored", ""
			switch {
			case event != "ping" && !push.is():
				code = "deploy:provider:not_supported"
			case push.elsewhere():
				code = "deploy:forge:not_configured"
			case event == "ping":
				want = "ok"
			case push.deploys() && push.pushedAt() < newest[push.branch()]:
				continue
			case push.deploys():
				code = "deploy:github:no_pkg_json"
			}
			if push.is() {
				if posted[push.key()] {
					continue // a repeated one may not be the newest any more
				}
				posted[push.key()] = true
			}
			s.send(request{path: "/1/deploy", body: payload}).wants(t, event+" "+strconv.Itoa(i)+" without its header", want, code)
		}
	}
	t.Logf("%d deliveries", deliveries)
}

// Each published payload of the other senders, with the headers of its delivery, is
// ignored, or refused because its forge is not configured; none is taken for another
// sender's, and none is an error of the server.
func TestPublishedPayloadsOfOtherSenders(t *testing.T) {
	t.Parallel()
	s := serve(t)
	outcomes := map[string]int{}
	for i, p := range publishedtest.Payloads(t) {
		if p.Sender == "github" {
			continue // see TestPublishedPayloads
		}
		header := map[string]string{"X-Request-UUID": strconv.Itoa(i), "Idempotency-Key": strconv.Itoa(i), "X-Gitea-Delivery": strconv.Itoa(i)}
		for name := range p.Header {
			header[name] = p.Header.Get(name)
		}
		got := s.send(request{path: "/1/deploy", body: string(p.Body), header: header})
		change := got.json(t)
		outcome, _ := cmp.Or(change["error"], change["status"]).(string)
		outcomes[outcome]++
		switch {
		case outcome == "deploy:forge:not_configured" && got.status == http.StatusBadRequest:
		case got.status != http.StatusOK, outcome != "ignored":
			t.Errorf("%s: got %d %s", p.File, got.status, got.body)
		}
		got.explains(t, p.File, p)
	}
	t.Logf("%v", outcomes)
	if outcomes["ignored"] == 0 || outcomes["deploy:forge:not_configured"] == 0 {
		t.Errorf("got %v", outcomes)
	}
}

// webAddress is the beginning of an address in a payload.
var webAddress = regexp.MustCompile(`https?://[^/"\\\s]+`)

// If the forges of the other senders are configured, each of their published payloads is
// ignored for the right reason, or is a push to the branch that is deployed, whose
// repository is not there.
func TestPublishedPayloadsOfConfiguredForges(t *testing.T) {
	t.Parallel()
	forges := map[string]*otherForge{
		"gitlab": newOtherForge(t, forgesim.GitLab), "gitea": newOtherForge(t, forgesim.Gitea), "gogs": newOtherForge(t, forgesim.Gogs),
		"bitbucket": newOtherForge(t, forgesim.Bitbucket), "bitbucket-server": newOtherForge(t, forgesim.DataCenter),
	}
	forges["stash"] = forges["bitbucket-server"]
	s := serve(t, "--forges", fmt.Sprintf("gitlab=%s,gitea=%s,gogs=%s,bitbucket=%s,bitbucket-dc=%s", forges["gitlab"].URL(), forges["gitea"].URL(),
		forges["gogs"].URL(), forges["bitbucket"].URL(), forges["stash"].URL()))
	outcomes := map[string]int{}
	for i, p := range publishedtest.Payloads(t) {
		f := forges[p.Sender]
		if f == nil {
			continue // see TestPublishedPayloads
		}
		header := map[string]string{"X-Gitlab-Instance": f.URL()}
		for _, id := range []string{"X-Request-UUID", "Idempotency-Key", "X-Gitea-Delivery"} {
			header[id] = strconv.Itoa(i)
		}
		for name := range p.Header {
			header[name] = p.Header.Get(name)
		}
		got := s.send(request{path: "/1/deploy", body: webAddress.ReplaceAllString(string(p.Body), f.URL()), header: header})
		got.explains(t, p.File, p)
		outcome, _ := cmp.Or(got.json(t)["error"], got.json(t)["status"]).(string)
		outcomes[p.Sender+" "+outcome]++
		switch {
		case outcome == "ignored":
		case p.Kind() == core.EventPing && outcome == "ok":
		case p.Kind() == core.EventPush && outcome == "deploy:github:no_pkg_json":
		default:
			t.Errorf("%s: got %d %s", p.File, got.status, got.body)
		}
	}
	t.Logf("%v", outcomes)
}

// explains checks that an accepted delivery of p was taken for its sender's, and that
// the reason is one of its kind if it was ignored.
func (a answer) explains(t *testing.T, name string, p publishedtest.Payload) {
	t.Helper()
	change := a.json(t)
	if change["error"] != nil {
		return
	}
	if change["provider"] != string(p.Provider()) {
		t.Errorf("%s is taken for one of %v", name, change["provider"])
	}
	reasons := map[core.EventKind][]string{
		core.EventPush:  {"The push deletes ", "The push is of "},
		core.EventBuild: {"No push of the commit ", "The build is of a pull request", "The build is of the tag ", "The event "},
	}[p.Kind()]
	if reasons == nil {
		reasons = []string{"The event " + strconv.Quote(p.Event) + " never deploys"}
	}
	begins := func(with string) bool { return strings.HasPrefix(reason(change), with) }
	if change["status"] == "ignored" && !slices.ContainsFunc(reasons, begins) {
		t.Errorf("%s is ignored, as %q", name, reason(change))
	}
}

// publishedPush has the fields of a payload that make it a push.
type publishedPush struct {
	Ref, Before, After string
	Deleted            bool
	Commits            []struct{} // nil in cache_sync of GitHub Enterprise Server
	Repository         *struct {
		Name          string
		HTMLURL       string `json:"html_url"`
		URL           string
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
		PushedAt      any    `json:"pushed_at"` // a number of a push
	}
}

func readPush(payload string) (p publishedPush) {
	_ = json.Unmarshal([]byte(payload), &p) // a field of another type is not that of a push
	return p
}

// is reports whether it has the fields of a push.
func (p publishedPush) is() bool {
	return p.Ref != "" && p.After != "" && p.Repository != nil && p.Commits != nil
}

// deploys reports whether the push is to the default branch and leaves it there.
func (p publishedPush) deploys() bool {
	return p.is() && !p.Deleted && p.Ref == "refs/heads/"+p.Repository.DefaultBranch
}

// elsewhere reports whether the repository is on another forge than github.com, as the
// examples of GitHub Enterprise servers are.
func (p publishedPush) elsewhere() bool {
	if p.Repository == nil || p.Repository.Name == "" {
		return false
	}
	u, err := url.Parse(cmp.Or(p.Repository.HTMLURL, p.Repository.URL))
	return err == nil && u.Host != "" && u.Host != "github.com"
}

// branch is the ref of the repository, and pushedAt when it was pushed to, in seconds.
func (p publishedPush) branch() string {
	if p.Repository == nil {
		return ""
	}
	return p.Repository.FullName + " " + p.Ref
}

func (p publishedPush) pushedAt() int64 {
	if p.Repository == nil {
		return 0
	}
	seconds, _ := p.Repository.PushedAt.(float64)
	return int64(seconds)
}

// key is the same for a repeated push.
func (p publishedPush) key() string { return p.Repository.FullName + p.Ref + p.Before + p.After }

// wants checks that the answer is a change with a status, or a failure with a code,
// and the HTTP status that belongs to it.
func (a answer) wants(t *testing.T, name, status, code string) {
	t.Helper()
	want := http.StatusOK
	if code != "" {
		want = statuses()[core.Code(code)]
	}
	got := a.json(t)
	if errorCode, _ := got["error"].(string); a.status != want || errorCode != code || code == "" && got["status"] != status {
		t.Errorf("%s: got %d %s, want %d and the status %q, or the error %q", name, a.status, a.body, want, status, code)
	}
}
