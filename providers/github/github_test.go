package github

import (
	"flag"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

var _ deploy.Provider = Provider{}

var update = flag.Bool("update", false, "write the golden files") //nolint:gochecknoglobals // a flag

// event is the header of a delivery of that event, none for "".
func event(name string) textproto.MIMEHeader {
	header := textproto.MIMEHeader{}
	if name != "" {
		header.Set("X-GitHub-Event", name)
	}
	return header
}

// deliver returns a delivery of a payload as JSON.
func deliver(t testing.TB, name, payload string) core.Delivery {
	t.Helper()
	d, err := core.NewDelivery(event(name), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPayloadsAreReadAsTheirGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, payload := range golden.Payloads(t) {
		kind, _, _ := strings.Cut(name, "-")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := Provider{}.Parse(deliver(t, kind, string(payload)))
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, name, want, *update)
			for way, d := range golden.Deliveries(t, event(kind), payload) {
				got, err := Provider{}.Parse(d)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("as %s: %+v, %v", way, got, err)
				}
			}
			// Without the header, a push and a ping are recognized by their shape.
			shaped := kind == "push" || kind == "ping"
			for way, d := range golden.Deliveries(t, event(""), payload) {
				if got := (Provider{}).Resembles(d); got != shaped || (Provider{}).Recognize(d) {
					t.Errorf("as %s without header: it resembles one: %t", way, got)
				}
				got, err := Provider{}.Parse(d)
				if shaped && (err != nil || !reflect.DeepEqual(got, want)) {
					t.Errorf("as %s without header: %+v, %v", way, got, err)
				}
				if !shaped && core.CodeOf(err) != core.CodeProviderNotSupported {
					t.Errorf("as %s without header: %v", way, err)
				}
			}
		})
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	push := `{"ref":"refs/heads/main","after":"` + sha("a") + `","repository":{},"commits":[]}`
	for _, c := range []struct {
		why     string
		header  map[string]string
		payload string
		want    bool
	}{
		{"the header decides", map[string]string{"X-GitHub-Event": "push"}, `{}`, true},
		{"also beside others", map[string]string{"X-GitHub-Event": "push", "Signature": "x"}, `{}`, true},
		{"also if it is empty", map[string]string{"X-GitHub-Event": ""}, `{}`, true},
		{"also if the payload is broken", map[string]string{"X-GitHub-Event": "push"}, `{`, true},
		{"a push by its shape", nil, push, true},
		{"a ping by its shape", nil, `{"zen":"Be kind."}`, true},
		{"a push of a head commit alone", nil, `{"ref":"x","after":"x","repository":{},"head_commit":{}}`, true},
		{"a push that deletes", nil, `{"ref":"x","after":"x","repository":{},"head_commit":null}`, true},
		{"no ref", nil, `{"after":"x","repository":{},"commits":[]}`, false},
		{"no after", nil, `{"ref":"x","repository":{},"commits":[]}`, false},
		{"no repository", nil, `{"ref":"x","after":"x","repository":"a/b","commits":[]}`, false},
		{"no commits, as in cache_sync", nil, `{"ref":"x","before":"x","after":"x","repository":{},"sender":{}}`, false},
		{"another case", nil, `{"Ref":"x","After":"x","Repository":{},"Commits":[]}`, false},
		{"deeper down", nil, `{"push":` + push + `}`, false},
		{"a list", nil, `[` + push + `]`, false},
		{"broken", nil, push + `}`, false},
	} {
		d := deliver(t, "", c.payload)
		for name, value := range c.header {
			d.Header.Set(name, value)
		}
		if got := (Provider{}).Recognize(d) || (Provider{}).Resembles(d); got != c.want || (Provider{}).Recognize(d) != (c.header != nil) {
			t.Errorf("%s: %v", c.why, got)
		}
	}
	d := deliver(t, "push", "{}")
	if got, signed := (Provider{}).DeliveryID(d); got != "" || signed {
		t.Errorf("the id of a delivery that has none: %q, %t", got, signed)
	}
	d.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	if got, signed := (Provider{}).DeliveryID(d); got != "72d3162e-cc78-11e3-81ab-4c9367dc0958" || signed {
		t.Errorf("the id of a delivery: %q, %t", got, signed)
	}
	if (Provider{}).Name() != core.ProviderGitHub {
		t.Error("another name")
	}
}

func sha(digit string) string { return strings.Repeat(digit, 40) }

// push returns a push with the given fields after those it needs; a field that
// is given replaces one.
func push(fields ...string) string {
	base := []string{`"ref":"refs/heads/main"`, `"after":"` + sha("a") + `"`, `"repository":{"name":"n","owner":{"name":"o"}}`, `"commits":[]`}
	for _, field := range fields {
		key, _, _ := strings.Cut(field, ":")
		base = slices.DeleteFunc(base, func(b string) bool { return strings.HasPrefix(b, key+":") })
		base = append(base, field)
	}
	return "{" + strings.Join(base, ",") + "}"
}

func TestPush(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why    string
		fields []string
		check  func(core.Event) bool
	}{
		{"only refs/heads/ is cut off", []string{`"ref":"refs/heads/refs/heads/x"`}, func(e core.Event) bool {
			return e.Ref == "refs/heads/refs/heads/x" && e.Branch == "refs/heads/x" && e.Tag == ""
		}},
		{"a ref elsewhere is neither branch nor tag", []string{`"ref":"refs/notes/commits"`}, func(e core.Event) bool {
			return e.Ref == "refs/notes/commits" && e.Branch == "" && e.Tag == ""
		}},
		{"a tag deploys its commit", []string{`"ref":"refs/tags/v1"`, `"head_commit":{"id":"` + sha("b") + `"}`}, func(e core.Event) bool {
			return e.Tag == "v1" && e.Branch == "" && e.Commit.ID == sha("b") && slices.Equal(e.Commits, []string{sha("b"), sha("a")})
		}},
		{"a tag without one has none", []string{`"ref":"refs/tags/v1"`, `"head_commit":null`}, func(e core.Event) bool {
			return e.Tag == "v1" && e.Commit.ID == ""
		}},
		{"zeros mean deleted", []string{`"after":"` + sha("0") + `"`, `"before":"` + sha("b") + `"`}, func(e core.Event) bool {
			return e.Deleted && e.Commit.ID == "" && e.Before == sha("b") && e.Commits == nil
		}},
		{"deleted needs no after", []string{`"after":null`, `"deleted":true`}, func(e core.Event) bool { return e.Deleted }},
		{"zeros before mean none", []string{`"before":"` + sha("0") + `"`}, func(e core.Event) bool { return e.Before == "" }},
		{"ids are lower-case", []string{`"after":"` + sha("A") + `"`}, func(e core.Event) bool { return e.Commit.ID == sha("a") }},
		{"SHA-256 ids", []string{`"after":"` + strings.Repeat("a", 64) + `"`}, func(e core.Event) bool { return len(e.Commit.ID) == 64 }},
		{
			"every id, once, the newest first",
			[]string{`"commits":[{"id":"` + sha("c") + `"},{"id":"junk"},{},7,null,{"id":"` + sha("d") + `"},{"id":"` + sha("a") + `"}]`},
			func(e core.Event) bool { return slices.Equal(e.Commits, []string{sha("a"), sha("d"), sha("c")}) },
		},
		{"login before name", []string{`"repository":{"name":"n","owner":{"name":"Display","login":"o2"}}`}, func(e core.Event) bool {
			return e.Repository.Slug() == "o2/n"
		}},
		{"the default branch by its old name", []string{`"repository":{"name":"n","owner":{"name":"o"},"master_branch":"trunk"}`}, func(e core.Event) bool {
			return e.Repository.DefaultBranch == "trunk"
		}},
		{"the clock in seconds", []string{`"repository":{"name":"n","owner":{"name":"o"},"pushed_at":1331839581}`}, func(e core.Event) bool {
			return e.PushedAt.Format("2006-01-02T15:04:05Z") == "2012-03-15T19:26:21Z"
		}},
		{"the clock in whole seconds", []string{`"repository":{"name":"n","owner":{"name":"o"},"pushed_at":"2012-03-15T19:26:21.9Z"}`}, func(e core.Event) bool {
			return e.PushedAt.Format("2006-01-02T15:04:05.999Z") == "2012-03-15T19:26:21Z"
		}},
		{"fields of other types are empty", []string{`"before":7`, `"deleted":"no"`, `"head_commit":"x"`, `"commits":{"id":1}`, `"pusher":null`}, func(e core.Event) bool {
			return e.Commit == core.Commit{ID: sha("a")} && slices.Equal(e.Commits, []string{sha("a")})
		}},
		{"a link must be valid", []string{`"head_commit":{"url":"javascript:alert(1)","timestamp":"soon","author":[]}`}, func(e core.Event) bool {
			return e.Commit == core.Commit{ID: sha("a")}
		}},
	} {
		for _, name := range []string{"push", ""} {
			e, err := Provider{}.Parse(deliver(t, name, push(c.fields...)))
			if name == "" && slices.Contains(c.fields, `"after":null`) {
				continue // not a push by its shape
			}
			if err != nil || !c.check(e) || e.Kind != core.EventPush || e.Name != "push" {
				t.Errorf("%s: %+v, %v", c.why, e, err)
			}
		}
	}
}

// A push asks for no build if each of its commits does; else Travis CI builds the last
// one that does not.
func TestPushThatSkipsCI(t *testing.T) {
	t.Parallel()
	commits := func(messages ...string) string {
		var list []string
		for i, message := range messages {
			list = append(list, `{"message":"`+message+`","id":"`+id(i)+`"}`)
		}
		return `"commits":[` + strings.Join(list, ",") + `]`
	}
	head := func(message string) string {
		return `"head_commit":{"id":"` + sha("a") + `","message":"` + message + `"}`
	}
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		why    string
		fields []string
		want   bool
	}{
		{"nothing is said", nil, false},
		{"the only commit", []string{commits("a [skip ci]"), head("a [skip ci]")}, true},
		{"both", []string{commits("a [skip ci]", "b [CI SKIP]"), head("b [CI SKIP]")}, true},
		{"the head alone", []string{commits("a", "b [skip ci]"), head("b [skip ci]")}, false},
		{"all but the head", []string{commits("a [skip ci]", "b"), head("b")}, false},
		{"one in the middle does not", []string{commits("a [skip ci]", "b", "c [skip ci]"), head("c [skip ci]")}, false},
		{"one without a message", []string{`"commits":[{"id":"` + sha("a") + `"}]`, head("a [skip ci]")}, false},
		{"no commits, as of a new branch", []string{`"commits":[]`, head("a [skip ci]")}, true},
		{"no head, as of old", []string{commits("a [skip ci]")}, true},
		{"at the end of a long message", []string{commits(long + "[skip ci]"), head(long + "[skip ci]")}, true},
		{"more than are kept", []string{commits(append([]string{"a"}, slices.Repeat([]string{"[skip ci]"}, 3*gitpush.MaxCommits)...)...)}, false},
	} {
		e, err := Provider{}.Parse(deliver(t, "push", push(c.fields...)))
		if err != nil || e.SkipsCI != c.want {
			t.Errorf("%s: got %t, %v", c.why, e.SkipsCI, err)
		}
	}
}

func TestTheNewestCommitsAreKept(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for i := range 3000 {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(`{"id":"` + id(i) + `"}`)
	}
	e, err := Provider{}.Parse(deliver(t, "push", push(`"commits":[`+list.String()+`]`)))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Commits) != gitpush.MaxCommits || e.Commits[0] != sha("a") || e.Commits[1] != id(2999) || e.Commits[255] != id(2999-254) {
		t.Errorf("%d commits, from %s to %s", len(e.Commits), e.Commits[1], e.Commits[len(e.Commits)-1])
	}
}

// id returns a commit id for a number.
func id(i int) string {
	text := []byte(sha("0"))
	for place := len(text) - 1; i > 0; place, i = place-1, i/10 {
		text[place] = '0' + byte(i%10)
	}
	return "f" + string(text[1:])
}

func TestALongMessageIsCut(t *testing.T) {
	t.Parallel()
	e, err := Provider{}.Parse(deliver(t, "push", push(`"head_commit":{"message":"`+strings.Repeat("m", 1<<20)+`"}`)))
	if err != nil || len(e.Commit.Message) != 16<<10 {
		t.Errorf("%d bytes, %v", len(e.Commit.Message), err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ why, payload, reason string }{
		{"a list", `[]`, "not a JSON object"},
		{"broken", "{" + push(), "not valid JSON"},
		{"cut off", push()[:60], "not valid JSON"},
		{"more behind it", push() + `{}`, "not valid JSON"},
		{"deep", `{"a":` + strings.Repeat("[", 250) + strings.Repeat("]", 250) + `,` + push()[1:], "nested"},
		{"ref twice", `{"ref":"refs/heads/other",` + push()[1:], "twice"},
		{"after twice, spelled otherwise", `{"\u0061fter":"x",` + push()[1:], "twice"},
		{"repository twice", `{"repository":{},` + push()[1:], "twice"},
		{"name twice", push(`"repository":{"name":"n","name":"m","owner":{"name":"o"}}`), "twice"},
		{"owner twice", push(`"repository":{"name":"n","owner":{"name":"o"},"owner":{"name":"p"}}`), "twice"},
		{"login twice", push(`"repository":{"name":"n","owner":{"login":"o","login":"p"}}`), "twice"},
		{"not UTF-8", push("\"ref\":\"refs/heads/\xff\""), "UTF-8"},
		{"not UTF-8 in the message", push("\"head_commit\":{\"message\":\"\xff\"}"), "UTF-8"},
		{"half a surrogate pair", push(`"ref":"refs/heads/\ud800"`), "ref"},
		{"no ref", `{"after":"` + sha("a") + `","repository":{"name":"n","owner":{"name":"o"}}}`, "ref"},
		{"an invalid ref", push(`"ref":"refs/heads/a b"`), "ref"},
		{"REF is another field", strings.Replace(push(), `"ref"`, `"REF"`, 1), "ref"},
		{"no repository", push(`"repository":null`), "repository"},
		{"no owner", push(`"repository":{"name":"n"}`), "repository"},
		{"an owner that climbs", push(`"repository":{"name":"n","owner":{"login":".."}}`), "repository"},
		{"a name with a slash", push(`"repository":{"name":"n/m","owner":{"login":"o"}}`), "repository"},
		{"no after", push(`"after":null`), "commit"},
		{"a branch as after", push(`"after":"main"`), "commit"},
	} {
		e, err := Provider{}.Parse(deliver(t, "push", c.payload))
		failure := core.AsError(err)
		if failure == nil || failure.Code != core.CodeProviderNotSupported || !strings.Contains(failure.Reason, c.reason) {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
	if _, err := (Provider{}).Parse(core.Delivery{Header: event("push")}); core.CodeOf(err) != core.CodeProviderNotSupported {
		t.Errorf("no payload: %v", err)
	}
}

func TestEventsOfAnyShapeAreNoErrors(t *testing.T) {
	t.Parallel()
	values := []string{`null`, `true`, `-1.5e3`, `"x"`, `""`, `[]`, `[{"id":1}]`, `{}`, `{"name":{},"owner":[],"private":"yes","pushed_at":{},"url":7}`, `{"name":"n","owner":"o"}`, `{"name":"n","owner":{"login":null}}`}
	for _, name := range []string{"issues", "organization", "create", "marketplace_purchase", "ping", "to_be_invented"} {
		for _, field := range []string{"repository", "ref", "after", "head_commit", "commits", "zen", "deleted", "action"} {
			for _, value := range values {
				e, err := Provider{}.Parse(deliver(t, name, `{"`+field+`":`+value+`}`))
				if err != nil || e.Name != name || e.Repository != (core.Repository{}) || (e.Kind == core.EventPing) != (name == "ping") {
					t.Errorf("%s with %s %s: %+v, %v", name, field, value, e, err)
				}
			}
		}
	}
}

func TestTheNameOfAnEventIsAWord(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"issues": "issues", "Push": "Push", "": "unknown", "two words": "unknown", "\x1b[31m": "unknown", strings.Repeat("x", 101): "unknown",
	} {
		d := deliver(t, "issues", `{}`)
		d.Header["X-Github-Event"] = []string{name}
		e, err := Provider{}.Parse(d)
		if err != nil || e.Name != want || e.Kind != core.EventOther {
			t.Errorf("%q: %+v, %v", name, e, err)
		}
	}
}
