package travis

import (
	"flag"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

var _ deploy.Provider = Provider{}

var update = flag.Bool("update", false, "write the golden files") //nolint:gochecknoglobals // a flag

// deliver returns a delivery of a payload as JSON, with headers as pairs of
// name and value.
func deliver(t testing.TB, payload string, headers ...string) core.Delivery {
	t.Helper()
	header := textproto.MIMEHeader{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	d, err := core.NewDelivery(header, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPayloadsAreReadAsTheirGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, payload := range golden.Payloads(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := Provider{}.Parse(deliver(t, string(payload)))
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, name, want, *update)
			for way, d := range golden.Deliveries(t, textproto.MIMEHeader{}, payload) {
				got, err := Provider{}.Parse(d)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("as %s: %+v, %v", way, got, err)
				}
				if !(Provider{}).Resembles(d) || (Provider{}).Recognize(d) {
					t.Errorf("as %s: it resembles none", way)
				}
			}
		})
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	slug := []string{"Travis-Repo-Slug", "o/n"}
	for _, c := range []struct {
		why     string
		headers []string
		payload string
		want    bool
	}{
		{"by the slug", slug, `{}`, true},
		{"by the signature", []string{"Signature", "x"}, `{}`, true},
		{"the slug of 2013", []string{"X-Travis-Repo-Slug", "o/n"}, `{}`, true},
		{"also if the payload is broken", slug, `{`, true},
		{"a card for Microsoft Teams", slug, `{"@type":"MessageCard","@context":"http://schema.org/extensions","sections":[]}`, false},
		{"a newer card", slug, `{"type":"message","attachments":[]}`, false},
		{"a card without headers", nil, `{"@type":"MessageCard"}`, false},
		{"a build by its shape", nil, build(), true},
		{"with a matrix", nil, `{"repository":{"owner_name":"o","name":"n"},"status_message":"Passed","matrix":[]}`, true},
		{"with an address", nil, `{"repository":{"owner_name":"o","name":"n"},"result_message":"Passed","build_url":"x"}`, true},
		{"GitHub's repository", nil, build(`"repository":{"owner":{"name":"o"},"name":"n"}`), false},
		{"no state", nil, `{"repository":{"owner_name":"o","name":"n"},"number":"1"}`, false},
		{"no build", nil, `{"repository":{"owner_name":"o","name":"n"},"state":"open"}`, false},
		{"a list", nil, `[]`, false},
		{"broken", nil, build() + "x", false},
	} {
		d := deliver(t, c.payload, c.headers...)
		if got := (Provider{}).Recognize(d) || (Provider{}).Resembles(d); got != c.want || (Provider{}).Recognize(d) != (c.want && c.headers != nil) {
			t.Errorf("%s: %v", c.why, got)
		}
	}
	if id, signed := (Provider{}).DeliveryID(deliver(t, build(), "X-Request-Id", "x")); id != "" || signed {
		t.Errorf("a notification has the id %q, %t", id, signed)
	}
	if (Provider{}).Name() != core.ProviderTravis {
		t.Error("another name")
	}
}

func sha(digit string) string { return strings.Repeat(digit, 40) }

// build returns a build with the given fields after those it needs; a field
// that is given replaces one, and one that is only a key leaves it out.
func build(fields ...string) string {
	base := []string{
		`"id":7`, `"number":"11"`, `"type":"push"`, `"state":"passed"`, `"branch":"main"`, `"commit":"` + sha("a") + `"`,
		`"repository":{"name":"n","owner_name":"o"}`,
	}
	for _, field := range fields {
		key, _, given := strings.Cut(field, ":")
		base = slices.DeleteFunc(base, func(b string) bool { return strings.HasPrefix(b, key+":") })
		if given {
			base = append(base, field)
		}
	}
	return "{" + strings.Join(base, ",") + "}"
}

func TestHowABuildStands(t *testing.T) {
	t.Parallel()
	message := func(text, status string) []string {
		return []string{`"state"`, `"status_message":"` + text + `"`, `"status":` + status}
	}
	for _, c := range []struct {
		fields []string
		want   core.BuildState // "" for a refusal
	}{
		{[]string{`"state":"created"`}, core.BuildStarted},
		{[]string{`"state":"queued"`}, core.BuildStarted},
		{[]string{`"state":"received"`}, core.BuildStarted},
		{[]string{`"state":"started"`}, core.BuildStarted},
		{[]string{`"state":"passed"`}, core.BuildPassed},
		{[]string{`"state":"failed"`}, core.BuildFailed},
		{[]string{`"state":"errored"`}, core.BuildErrored},
		{[]string{`"state":"canceled"`}, core.BuildCanceled},
		{[]string{`"state":"failed"`, `"status_message":"Passed"`, `"status":0`}, core.BuildFailed},
		{[]string{`"state":"passed"`, `"status_message":"Broken"`, `"status":1`}, core.BuildPassed},
		{[]string{`"state":"finished"`, `"status_message":"Passed"`, `"status":0`}, core.BuildPassed},
		{message("Passed", "0"), core.BuildPassed},
		{message("Fixed", "0"), core.BuildPassed},
		{message("Pending", "1"), core.BuildStarted},
		{message("Pending", "null"), core.BuildStarted},
		{message("Broken", "1"), core.BuildFailed},
		{message("Failed", "1"), core.BuildFailed},
		{message("Still Failing", "1"), core.BuildFailed},
		{message("Failed", "0"), core.BuildFailed},
		{message("Errored", "1"), core.BuildErrored},
		{message("Canceled", "null"), core.BuildCanceled},
		{[]string{`"state"`, `"result_message":"Fixed"`, `"result":0`}, core.BuildPassed},
		{[]string{`"state"`, `"status_message":"Passed"`, `"status":0`, `"result":0`}, core.BuildPassed},
		{[]string{`"state"`, `"status_message":"Passed"`, `"status":0`, `"result":1`}, ""},
		{[]string{`"state"`, `"status_message":"Passed"`, `"status":1`, `"result":0`}, ""},
		{message("Passed", "1"), ""},
		{message("Passed", "null"), ""},
		{message("Fixed", "true"), ""},
		{message("Splendid", "0"), ""},
		{[]string{`"state"`, `"status":0`, `"result":0`}, ""},
		{[]string{`"state"`}, ""},
	} {
		e, err := Provider{}.Parse(deliver(t, build(c.fields...)))
		if e.Build.State != c.want || (err != nil) != (c.want == "") || err != nil && core.CodeOf(err) != core.CodeProviderNotSupported {
			t.Errorf("%v: %q, %v; want %q", c.fields, e.Build.State, err, c.want)
		}
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why    string
		fields []string
		check  func(core.Event) bool
	}{
		{"a push", nil, func(e core.Event) bool {
			return e.Name == "push" && e.Branch == "main" && e.Tag == "" && e.Ref == "" && !e.Build.PullRequest && e.Build.ID == "7" &&
				e.Build.Number == "11" && e.Commit.ID == sha("a") && slices.Equal(e.Commits, []string{sha("a")}) && e.Repository.Slug() == "o/n"
		}},
		{"numbers and texts", []string{`"id":"8"`, `"number":12`}, func(e core.Event) bool { return e.Build.ID == "8" && e.Build.Number == "12" }},
		{"before there were types", []string{`"type"`}, func(e core.Event) bool { return e.Name == "build" && e.Build.Type == "" }},
		{"a type that is not a word", []string{`"type":"pu sh"`}, func(e core.Event) bool { return e.Name == "unknown" && e.Build.Type == "unknown" }},
		{"cron", []string{`"type":"cron"`}, func(e core.Event) bool { return e.Name == "cron" && e.Build.Type == "cron" }},
		{"a tag", []string{`"tag":"v1"`, `"branch":"v1"`}, func(e core.Event) bool { return e.Tag == "v1" && e.Branch == "" }},
		{"no tag", []string{`"tag":null`}, func(e core.Event) bool { return e.Tag == "" && e.Branch == "main" }},
		{"no branch", []string{`"branch":null`}, func(e core.Event) bool { return e.Branch == "" }},
		{"ids are lower-case", []string{`"commit":"` + sha("A") + `"`}, func(e core.Event) bool { return e.Commit.ID == sha("a") }},
		{"a pull request by type", []string{`"type":"pull_request"`, `"head_commit":"` + sha("b") + `"`}, func(e core.Event) bool {
			return e.Build.PullRequest && slices.Equal(e.Commits, []string{sha("a"), sha("b")})
		}},
		{"by its flag", []string{`"pull_request":true`}, func(e core.Event) bool { return e.Build.PullRequest }},
		{"by a flag that is its number", []string{`"pull_request":7`}, func(e core.Event) bool { return e.Build.PullRequest }},
		{"by a flag that describes it", []string{`"pull_request":{"number":7}`}, func(e core.Event) bool { return e.Build.PullRequest }},
		{"by its number", []string{`"pull_request_number":7`, `"pull_request":false`}, func(e core.Event) bool { return e.Build.PullRequest }},
		{"by its number as text", []string{`"pull_request_number":"7"`}, func(e core.Event) bool { return e.Build.PullRequest }},
		{"by its compare_url", []string{`"compare_url":"https://github.com/o/n/pull/7"`}, func(e core.Event) bool { return e.Build.PullRequest }},
		{"not by null", []string{`"pull_request_number":null`, `"pull_request":null`}, func(e core.Event) bool { return !e.Build.PullRequest }},
		{"not by false", []string{`"pull_request_number":0`, `"pull_request":"false"`}, func(e core.Event) bool { return !e.Build.PullRequest }},
		{"not by a repository of that name", []string{`"compare_url":"https://github.com/pull/7/compare/a...b"`}, func(e core.Event) bool { return !e.Build.PullRequest }},
		{"not by no address", []string{`"compare_url":"%"`}, func(e core.Event) bool { return !e.Build.PullRequest && e.Commit.URL == "" }},
		{"head_commit is of pull requests", []string{`"head_commit":"` + sha("b") + `"`}, func(e core.Event) bool {
			return slices.Equal(e.Commits, []string{sha("a")})
		}},
		{"an address with credentials", []string{`"repository":{"name":"n","owner_name":"o","url":"https://u:p@host/o/n"}`}, func(e core.Event) bool {
			return e.Repository.URL == ""
		}},
		{"fields of other types", []string{`"id":{}`, `"number":[]`, `"message":7`, `"matrix":{}`, `"build_url":false`, `"committed_at":1`}, func(e core.Event) bool {
			return e.Build.ID == "" && e.Build.Number == "" && e.Commit == core.Commit{ID: sha("a")}
		}},
	} {
		e, err := Provider{}.Parse(deliver(t, build(c.fields...)))
		if err != nil || !c.check(e) || e.Kind != core.EventBuild || e.Provider != core.ProviderTravis || !e.PushedAt.IsZero() {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ why, payload, reason string }{
		{"a list", `[]`, "not a JSON object"},
		{"cut off", build()[:50], "not valid JSON"},
		{"more behind it", build() + "{}", "not valid JSON"},
		{"deep", `{"matrix":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}", "nested"},
		{"commit twice", `{"commit":"x",` + build()[1:], "twice"},
		{"state twice", `{"state":"failed",` + build()[1:], "twice"},
		{"owner twice", build(`"repository":{"name":"n","owner_name":"o","owner_name":"p"}`), "twice"},
		{"not UTF-8", build("\"branch\":\"\xff\""), "UTF-8"},
		{"no repository", build(`"repository"`), "repository"},
		{"a repository that climbs", build(`"repository":{"name":"..","owner_name":"o"}`), "repository"},
		{"no commit", build(`"commit"`), "commit"},
		{"half a commit", build(`"commit":"62aae5f70ceee39123ef"`), "commit"},
		{"an invalid branch", build(`"branch":"a b"`), "branch"},
		{"an invalid tag", build(`"tag":"a..b"`), "tag"},
	} {
		e, err := Provider{}.Parse(deliver(t, c.payload))
		failure := core.AsError(err)
		if failure == nil || failure.Code != core.CodeProviderNotSupported || !strings.Contains(failure.Reason, c.reason) {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
	if _, err := (Provider{}).Parse(core.Delivery{}); core.CodeOf(err) != core.CodeProviderNotSupported {
		t.Errorf("no payload: %v", err)
	}
}
