package bitbucket

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

// event returns the event of a file in testdata: "repo-push.deleted" is a
// "repo:push".
func event(file string) string {
	name, _, _ := strings.Cut(file, ".")
	return strings.Replace(name, "-", ":", 1)
}

func header(event string) textproto.MIMEHeader {
	h := textproto.MIMEHeader{}
	h.Set("X-Event-Key", event)
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := Provider{}.Parse(deliver(t, header(event(name)), string(payload)))
			if err != nil {
				t.Fatal(err)
			}
			golden.CheckEvent(t, want)
			golden.Check(t, name, want, *update)
			for way, d := range golden.Deliveries(t, header(event(name)), payload) {
				if got, err := (Provider{}).Parse(d); err != nil || !reflect.DeepEqual(got, want) || !(Provider{}).Recognize(d) {
					t.Errorf("as %s: %+v, %v", way, got, err)
				}
			}
			shaped := strings.HasPrefix(name, "repo-push") || strings.HasPrefix(name, "repo-refs") || strings.HasPrefix(name, "pr-")
			for way, d := range golden.Deliveries(t, nil, payload) {
				if got := (Provider{}).Resembles(d); got != shaped || (Provider{}).Recognize(d) {
					t.Errorf("as %s without header: it resembles one: %t", way, got)
				}
				if got, err := (Provider{}).Parse(d); shaped && (err != nil || !reflect.DeepEqual(got, want)) {
					t.Errorf("as %s without header: %+v, %v", way, got, err)
				}
			}
		})
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why     string
		header  textproto.MIMEHeader
		payload string
		want    bool
	}{
		{"by its header", textproto.MIMEHeader{"X-Event-Key": {"repo:push"}}, `{`, true},
		{"by an empty header", textproto.MIMEHeader{"X-Event-Key": {""}}, `{}`, true},
		{"of Cloud by its shape", nil, `{"push":{"changes":[]},"repository":{"full_name":"a/b"}}`, true},
		{"of Data Center by its shape", nil, `{"eventKey":"repo:refs_changed"}`, true},
		{"no repository", nil, `{"push":{"changes":[]}}`, false},
		{"no changes", nil, `{"push":{},"repository":{"full_name":"a/b"}}`, false},
		{"a push of GitHub's", nil, `{"ref":"refs/heads/main","after":"x","repository":{"full_name":"a/b"},"commits":[]}`, false},
		{"broken", nil, `{"eventKey":"repo:refs_changed"`, false},
	} {
		d := core.Delivery{Header: c.header, Payload: []byte(c.payload)}
		if got := (Provider{}).Recognize(d) || (Provider{}).Resembles(d); got != c.want || (Provider{}).Recognize(d) != (c.header != nil) {
			t.Errorf("%s: %t", c.why, got)
		}
	}
	if (Provider{}).Name() != core.ProviderBitbucket {
		t.Error("another name")
	}
}

func TestDeliveryID(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"X-Request-UUID": "a-b", "X-Request-Id": "a-b", "X-Hook-UUID": ""} {
		d := core.Delivery{Header: textproto.MIMEHeader{}}
		d.Header.Set(header, "a-b")
		if got, signed := (Provider{}).DeliveryID(d); got != want || signed {
			t.Errorf("%s: %q, %t", header, got, signed)
		}
	}
}

func sha(digit string) string { return strings.Repeat(digit, 40) }

// cloud returns a push of Bitbucket Cloud with the given changes.
func cloud(changes ...string) string {
	return `{"push":{"changes":[` + strings.Join(changes, ",") + `]},"repository":{"full_name":"a/b"}}`
}

// dataCenter returns a push of Data Center that changes two branches, and describes the
// commit head by fields.
func dataCenter(head, fields string) string {
	change := func(branch, commit string) string {
		return `{"ref":{"id":"refs/heads/` + branch + `"},"fromHash":"` + sha("0") + `","toHash":"` + commit + `","type":"ADD"}`
	}
	return `{"eventKey":"repo:refs_changed","repository":{"slug":"hello","project":{"key":"WEB"}},"changes":[` +
		change("main", sha("a")) + `,` + change("next", sha("b")) + `],"toCommit":{"id":"` + head + `",` + fields + `}}`
}

func branch(name, fields string) string {
	return `{"type":"branch","name":"` + name + `","target":{"hash":"` + sha("a") + `"` + fields + `}}`
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why, event, payload string
		check               func(core.Event) bool
	}{
		{"an author without an address", "repo:push", cloud(`{"new":` + branch("main", `,"author":{"raw":"Ada"}`) + `}`), func(e core.Event) bool {
			return e.Commit.Author == core.Person{Name: "Ada"}
		}},
		{"an annotated tag", "repo:push", cloud(`{"new":` + strings.Replace(branch("v1", ""), `"branch"`, `"annotated_tag"`, 1) + `}`), func(e core.Event) bool { return e.Tag == "v1" }},
		{"neither new nor old", "repo:push", cloud(), func(e core.Event) bool { return e.Kind == core.EventOther && e.Repository.Forge == "bitbucket.org" }},
		{"a status by its commit", "repo:commit_status_created", `{"repository":{"full_name":"a/b"},"commit_status":{"state":"NEW","commit":{"hash":"` + sha("a") + `"}}}`, func(e core.Event) bool {
			return e.Commit.ID == sha("a") && e.Build.State == core.BuildStarted
		}},
		{"the commit of another change", "repo:refs_changed", dataCenter(sha("b"), `"message":"x"`), func(e core.Event) bool {
			return e.Commit.Message == "" && e.Others[0].Commit.Message == "x"
		}},
		{"the commit of no change", "repo:refs_changed", dataCenter(sha("c"), `"message":"x"`), func(e core.Event) bool {
			return e.Commit.Message == "" && e.Others[0].Commit.Message == ""
		}},
		{"an author who is not a user", "repo:refs_changed", dataCenter(sha("a"), `"author":{"name":"Ada","emailAddress":"ada@example.com"}`), func(e core.Event) bool {
			return e.Commit.Author == core.Person{Name: "Ada", Email: "ada@example.com"} && e.Commit.Timestamp.IsZero()
		}},
		{"no event", "", `{}`, func(e core.Event) bool { return e.Kind == core.EventOther && e.Name == "unknown" }},
		{"the event of the payload counts", "repo:push", `{"eventKey":"pr:merged"}`, func(e core.Event) bool { return e.Name == "pr:merged" }},
		{"an event that is not a word", "a b", `{}`, func(e core.Event) bool { return e.Name == "unknown" }},
	} {
		e, err := Provider{}.Parse(deliver(t, header(c.event), c.payload))
		if err != nil || !c.check(e) {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ why, event, payload, reason string }{
		{"a list", "repo:push", `[]`, "not a JSON object"},
		{"broken", "repo:push", `{"push":`, "not valid JSON"},
		{"no repository", "repo:push", `{"push":{"changes":[{"new":` + branch("main", "") + `}]}}`, "repository"},
		{"a repository without workspace", "repo:push", strings.Replace(cloud(`{"new":`+branch("main", "")+`}`), "a/b", "b", 1), "repository"},
		{"a repository that climbs", "repo:push", strings.Replace(cloud(`{"new":`+branch("main", "")+`}`), "a/b", "a/..", 1), "repository"},
		{"neither new nor old", "repo:push", cloud(`{}`), "ref"},
		{"a ref with a space", "repo:push", cloud(`{"new":` + branch("a b", "") + `}`), "ref"},
		{"one bad ref of two", "repo:push", cloud(`{"new":`+branch("main", "")+`}`, `{"new":`+branch("a b", "")+`}`), "ref"},
		{"a ref of another type", "repo:push", cloud(`{"new":{"type":"bookmark","name":"x"}}`), "ref"},
		{"no commit", "repo:push", cloud(`{"new":{"type":"branch","name":"x","target":null}}`), "commit"},
		{"too many refs", "repo:push", cloud(strings.Repeat(`{},`, maxChanges) + `{}`), "1001 refs"},
		{"a status without commit", "repo:commit_status_updated", `{"repository":{"full_name":"a/b"}}`, "commit"},
		{"a status without repository", "repo:commit_status_updated", `{"commit_status":{"commit":{"hash":"` + sha("a") + `"}}}`, "repository"},
	} {
		e, err := Provider{}.Parse(deliver(t, header(c.event), c.payload))
		failure := core.AsError(err)
		if failure == nil || failure.Code != core.CodeProviderNotSupported || !strings.Contains(failure.Reason, c.reason) {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
}

// A repository of Data Center is on the forge that its address names, else on the given
// one.
func TestDataCenterForge(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`{"slug":"hello","project":{"key":"WEB"}}`: "git.example.com", `{"slug":"hello","project":{"key":"~ada"}}`: "git.example.com",
		`{"slug":"hello","project":{"key":"WEB"},"links":{"self":[{"href":"https://dc.example.com/projects/WEB/repos/hello/browse"}]}}`: "dc.example.com",
		`{"full_name":"web/hello"}`: Cloud, `{"slug":"../hello","project":{"key":"WEB"}}`: "",
	} {
		e, err := Provider{DataCenter: "git.example.com"}.Parse(deliver(t, header("repo:forked"), `{"repository":`+payload+`}`))
		if err != nil || e.Repository.Forge != want {
			t.Errorf("%s: %q, %v, want %q", payload, e.Repository.Forge, err, want)
		}
	}
}
