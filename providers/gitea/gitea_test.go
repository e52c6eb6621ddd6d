package gitea

import (
	"flag"
	"net/textproto"
	"reflect"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

var _ deploy.Provider = Provider{}

var update = flag.Bool("update", false, "write the golden files") //nolint:gochecknoglobals // a flag

// serverHeader returns the headers with which a server sends an event.
func serverHeader(server, event string) textproto.MIMEHeader {
	servers := map[string][]string{"Forgejo": {"Forgejo", "Gitea", "Gogs", "GitHub"}, "Gitea": {"Gitea", "Gogs", "GitHub"}, "Gogs": {"Gogs"}}
	h := textproto.MIMEHeader{}
	for _, name := range servers[server] {
		h.Set("X-"+name+"-Event", event)
		h.Set("X-"+name+"-Delivery", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f")
		if name != "GitHub" {
			h.Set("X-"+name+"-Signature", "")
		}
	}
	h.Set("X-Hub-Signature-256", "sha256=")
	return h
}

func deliver(tb testing.TB, h textproto.MIMEHeader, payload string) core.Delivery {
	tb.Helper()
	d, err := core.NewDelivery(h, []byte(payload))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestPayloadsAreReadAsTheirGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, payload := range golden.Payloads(t) {
		event, _, _ := strings.Cut(name, "-")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := Provider{}.Parse(deliver(t, serverHeader("Gitea", event), string(payload)))
			if err != nil {
				t.Fatal(err)
			}
			golden.CheckEvent(t, want)
			golden.Check(t, name, want, *update)
			for _, server := range []string{"Forgejo", "Gitea", "Gogs"} {
				for way, d := range golden.Deliveries(t, serverHeader(server, event), payload) {
					if got, err := (Provider{}).Parse(d); err != nil || !reflect.DeepEqual(got, want) || !(Provider{}).Recognize(d) {
						t.Errorf("from %s as %s: %+v, %v", server, way, got, err)
					}
					if got, signed := (Provider{}).DeliveryID(d); got != "f5e5f430-f57b-4e6e-9fac-d9128cd7232f" || signed {
						t.Errorf("from %s: the delivery's id is %q", server, got)
					}
				}
			}
			for way, d := range golden.Deliveries(t, nil, payload) {
				if got := (Provider{}).Resembles(d); got != (event == "push") || (Provider{}).Recognize(d) {
					t.Errorf("as %s without header: it resembles one: %t", way, got)
				}
				if got, err := (Provider{}).Parse(d); event == "push" && (err != nil || !reflect.DeepEqual(got, want)) {
					t.Errorf("as %s without header: %+v, %v", way, got, err)
				}
			}
		})
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	push := `{"ref":"refs/heads/main","after":"x","compare_url":"x","repository":{"name":"n","owner":{"login":"o"}}}`
	for _, c := range []struct {
		why     string
		header  textproto.MIMEHeader
		payload string
		want    bool
	}{
		{"Forgejo's", textproto.MIMEHeader{"X-Forgejo-Event": {"push"}}, `{`, true},
		{"Gitea's", textproto.MIMEHeader{"X-Gitea-Event": {"push"}, "X-Github-Event": {"push"}}, `{`, true},
		{"Gogs'", textproto.MIMEHeader{"X-Gogs-Event": {"push"}}, `{`, true},
		{"an empty header", textproto.MIMEHeader{"X-Gogs-Event": {""}}, `{`, true},
		{"GitHub's header alone", textproto.MIMEHeader{"X-Github-Event": {"push"}}, `{}`, false},
		{"by its shape", nil, push, true},
		{"a push of GitHub's", nil, strings.Replace(push, "compare_url", "compare", 1), false},
		{"no repository", nil, `{"ref":"x","after":"x","compare_url":"x"}`, false},
		{"broken", nil, push + "}", false},
	} {
		d := core.Delivery{Header: c.header, Payload: []byte(c.payload)}
		if got := (Provider{}).Recognize(d) || (Provider{}).Resembles(d); got != c.want || (Provider{}).Recognize(d) != (c.want && c.header != nil) {
			t.Errorf("%s: %t", c.why, got)
		}
	}
	if (Provider{}).Name() != core.ProviderGitea {
		t.Error("another name")
	}
}

func sha(digit string) string { return strings.Repeat(digit, 40) }

func TestParse(t *testing.T) {
	t.Parallel()
	const repository = `"repository":{"name":"n","owner":{"login":"o"}}`
	push := func(fields string) string {
		return `{"ref":"refs/heads/main","after":"` + sha("a") + `",` + repository + fields + `}`
	}
	for _, c := range []struct {
		why, event, payload string
		check               func(core.Event) bool
	}{
		{"head_commit of another id", "push", push(`,"head_commit":{"id":"` + sha("b") + `","message":"x"}`), func(e core.Event) bool {
			return e.Commit == core.Commit{ID: sha("a")}
		}},
		{"an annotated tag", "push", strings.Replace(push(`,"head_commit":{"id":"`+sha("b")+`","message":"x"}`), "heads", "tags", 1), func(e core.Event) bool {
			return e.Tag == "main" && e.Commit == core.Commit{ID: sha("b"), Message: "x"} && len(e.Commits) == 2
		}},
		{"the test of a webhook", "push", push(`,"before":"` + sha("a") + `"`), func(e core.Event) bool {
			return e.Kind == core.EventPing && e.Name == "push" && e.Repository.Slug() == "o/n"
		}},
		{"the owner by its old name", "push", strings.Replace(push(""), "login", "username", 1), func(e core.Event) bool { return e.Repository.Slug() == "o/n" }},
		{"the owner by full_name", "issues", `{"repository":{"name":"n","full_name":"p/n"}}`, func(e core.Event) bool { return e.Repository.Slug() == "p/n" }},
		{"a whole ref in delete", "delete", `{"ref":"refs/heads/x","ref_type":"branch",` + repository + `}`, func(e core.Event) bool {
			return e.Kind == core.EventPush && e.Deleted && e.Branch == "x"
		}},
		{"an event of no name", "", `{}`, func(e core.Event) bool { return e.Kind == core.EventOther && e.Name == "unknown" }},
		{"an event to be invented", "orbit", `{"action":7}`, func(e core.Event) bool { return e.Kind == core.EventOther && e.Name == "orbit" }},
		{"a run with a new conclusion", "workflow_run", `{"workflow_run":{"head_sha":"` + sha("a") + `","status":"completed","conclusion":"new"},` + repository + `}`, func(e core.Event) bool {
			return e.Build.State == core.BuildErrored && e.Build.Type == "unknown"
		}},
		{"a status of warning", "status", `{"sha":"` + sha("a") + `","state":"warning",` + repository + `}`, func(e core.Event) bool { return e.Build.State == core.BuildFailed }},
		{"a status of a new state", "status", `{"sha":"` + sha("a") + `","state":"new",` + repository + `}`, func(e core.Event) bool { return e.Build.State == core.BuildStarted }},
	} {
		e, err := Provider{}.Parse(deliver(t, serverHeader("Gitea", c.event), c.payload))
		if err != nil || !c.check(e) {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const repository = `"repository":{"name":"n","owner":{"login":"o"}}`
	for _, c := range []struct{ why, event, payload, reason string }{
		{"a list", "push", `[]`, "not a JSON object"},
		{"broken", "push", `{"ref":"x"`, "not valid JSON"},
		{"a push without repository", "push", `{"ref":"refs/heads/main","after":"` + sha("a") + `"}`, "repository"},
		{"an owner with a slash", "push", `{"ref":"refs/heads/main","after":"` + sha("a") + `","repository":{"name":"n","owner":{"login":"a/b"}}}`, "repository"},
		{"a push without ref", "push", `{"after":"` + sha("a") + `",` + repository + `}`, "ref"},
		{"a push without commit", "push", `{"ref":"refs/heads/main",` + repository + `}`, "commit"},
		{"a deletion of nothing", "delete", `{"ref":" ",` + repository + `}`, "ref"},
		{"a run without commit", "workflow_run", `{"workflow_run":{},` + repository + `}`, "commit"},
		{"a run without repository", "workflow_run", `{"workflow_run":{"head_sha":"` + sha("a") + `"}}`, "repository"},
		{"a status without commit", "status", `{` + repository + `}`, "commit"},
	} {
		e, err := Provider{}.Parse(deliver(t, serverHeader("Gitea", c.event), c.payload))
		failure := core.AsError(err)
		if failure == nil || failure.Code != core.CodeProviderNotSupported || !strings.Contains(failure.Reason, c.reason) {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
}
