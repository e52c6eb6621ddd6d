package deploy

import (
	"reflect"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	push := core.Event{Kind: core.EventPush, Ref: "refs/heads/main", Branch: "main", Commit: core.Commit{ID: commitA}}
	build := core.Event{Kind: core.EventBuild, Name: "push", Branch: "main", Commit: core.Commit{ID: commitA}, Build: core.Build{State: core.BuildPassed, Type: "push"}}
	changed := func(e core.Event, change func(*core.Event)) core.Event { change(&e); return e }
	for name, test := range map[string]struct {
		event  core.Event
		status core.Status
		queued bool
		reason string
	}{
		"push":           {push, core.StatusPending, true, ""},
		"ping":           {core.Event{Kind: core.EventPing}, core.StatusOK, false, "tests the webhook"},
		"other":          {core.Event{Kind: core.EventOther, Name: "fork"}, core.StatusIgnored, false, `"fork"`},
		"other branch":   {changed(push, func(e *core.Event) { e.Branch = "x" }), core.StatusIgnored, false, `"x"`},
		"tag":            {changed(push, func(e *core.Event) { e.Branch, e.Tag = "", "v1" }), core.StatusIgnored, false, "tag"},
		"note":           {changed(push, func(e *core.Event) { e.Branch, e.Ref = "", "refs/notes/x" }), core.StatusIgnored, false, "not a branch"},
		"deleted":        {changed(push, func(e *core.Event) { e.Deleted = true }), core.StatusIgnored, false, "deletes"},
		"no commit":      {changed(push, func(e *core.Event) { e.Commit.ID = "" }), core.StatusIgnored, false, "no commit"},
		"passed":         {build, core.StatusPending, true, ""},
		"failed":         {changed(build, func(e *core.Event) { e.Build.State = core.BuildFailed }), core.StatusPending, true, ""},
		"old, untyped":   {changed(build, func(e *core.Event) { e.Build.Type = "" }), core.StatusPending, true, ""},
		"started":        {changed(build, func(e *core.Event) { e.Build.State = core.BuildStarted }), core.StatusIgnored, false, "not ended"},
		"pull request":   {changed(build, func(e *core.Event) { e.Build.PullRequest = true }), core.StatusIgnored, false, "pull request"},
		"build of a tag": {changed(build, func(e *core.Event) { e.Tag = "v1" }), core.StatusIgnored, false, "tag"},
		"cron":           {changed(build, func(e *core.Event) { e.Build.Type = "cron" }), core.StatusIgnored, false, "cron"},
		"api":            {changed(build, func(e *core.Event) { e.Build.Type = "api" }), core.StatusIgnored, false, "api"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, reason, place := decide(test.event, "main")
			if status != test.status || (place != nil) != test.queued || !strings.Contains(reason, test.reason) {
				t.Errorf("got %s, %q, queued %t", status, reason, place != nil)
			}
		})
	}
}

func TestDeployBranch(t *testing.T) {
	t.Parallel()
	named := core.Event{Repository: core.Repository{DefaultBranch: "trunk"}}
	for want, got := range map[string]string{
		"":       deployBranch(core.Target{}, core.Event{}),
		"trunk":  deployBranch(core.Target{}, named),
		"stable": deployBranch(core.Target{Branch: "stable"}, named),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSelectEvent(t *testing.T) {
	t.Parallel()
	push := func(branch string) core.Event { return core.Event{Kind: core.EventPush, Branch: branch} }
	tag := core.Event{Kind: core.EventPush, Tag: "main"}
	build := core.Event{Kind: core.EventBuild, Branch: "main"}
	for _, c := range []struct {
		first  core.Event
		others []core.Event
		want   core.Event
	}{
		{push("docs"), nil, push("docs")},
		{push("main"), []core.Event{push("docs")}, push("main")},
		{tag, []core.Event{push("docs"), push("main")}, push("main")},
		{build, []core.Event{push("main")}, push("main")},
		{tag, []core.Event{push("docs"), build}, tag},
	} {
		event := c.first
		event.Others = c.others
		if got := selectEvent(event, "main"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: got %+v, want %+v", event, got, c.want)
		}
	}
}

// Two deliveries are one by what was signed, else by the sender's id, else by the
// same push, or the same build in the same state.
func TestKey(t *testing.T) {
	t.Parallel()
	push := core.Entry{Provider: core.ProviderGitHub, Repository: core.Repository{Owner: "O", Name: "r"}, Ref: "refs/heads/main", Commit: core.Commit{ID: commitA}}
	event := core.Event{Kind: core.EventPush, Before: "b"}
	first := key(push, event, "", false)
	if renamed := push; key(renamed, core.Event{Kind: core.EventPush, Before: "c"}, "", false) == first {
		t.Error("a push back to a commit counts as the push before")
	}
	delivered := push
	delivered.DeliveryID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
	if got := key(delivered, event, "", false); got != "github:"+delivered.DeliveryID {
		t.Errorf("got %q", got)
	}
	signed := delivered
	signed.Payload.SHA256 = "digest"
	if got := key(signed, event, "hook", false); got != "github:sha256:digest:hook" {
		t.Errorf("signed: got %q", got)
	}
	if got := key(signed, event, "hook", true); got != "github:"+delivered.DeliveryID+":hook" {
		t.Errorf("signed with its id: got %q", got)
	}
	signed.DeliveryID = ""
	if got := key(signed, event, "hook", true); got != "github:sha256:digest:hook" {
		t.Errorf("signed without an id: got %q", got)
	}
	passed := core.Event{Kind: core.EventBuild, Build: core.Build{ID: "1", State: core.BuildPassed}}
	failed := passed
	failed.Build.State = core.BuildFailed
	if key(push, passed, "", false) == key(push, failed, "", false) {
		t.Error("a restarted build counts as the one that failed")
	}
	if got := key(push, core.Event{Kind: core.EventPing}, "", false); got != "" {
		t.Errorf("a ping without an id has the key %q", got)
	}
}

func TestParseManifest(t *testing.T) {
	t.Parallel()
	m, err := parseManifest([]byte("\xef\xbb\xbf{\"name\":\"hello\",\"version\":\"1.2.3\",\"main\":[1]}\n"))
	if err != nil || m.name != "hello" || m.version != "1.2.3" || m.text[0] != '{' {
		t.Errorf("got %+v, %v", m, err)
	}
	for name, text := range map[string]string{"not JSON": "{", "array": "[]", "null": "null", "empty": ""} {
		if _, err := parseManifest([]byte(text)); err == nil || !strings.Contains(err.Error(), "not a JSON object") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNameOfApp(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name":"hello"}`:       "hello",
		`{"name":"@acme/shop"}`:  "shop; The name \"@acme/shop\"",
		`{"name":"MyShop"}`:      "myshop; The name \"MyShop\"",
		`{}`:                     "api; package.json has no name",
		`{"name":1}`:             "api; package.json has no name",
		`{"name":"../x"}`:        "invalid app name \"../x\"",
		`{"name":"a/b"}`:         "invalid app name \"a/b\"",
		`{"name":"@acme/"}`:      "invalid app name \"\"",
		`{"name":"@acme/a/b"}`:   "invalid app name \"@acme/a/b\"",
		`{"name":"a b"}`:         "invalid app name \"a b\"",
		`{"name":"sp\u00e4t"}`:   "invalid app name \"sp\u00e4t\"",
		`{"name":"hello","a":1}`: "hello",
	} {
		m, err := parseManifest([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		e := core.Entry{Repository: core.Repository{Name: "Hello"}, Target: core.Target{Root: "packages/api"}}
		name, note, err := m.app(e)
		got := strings.Trim(name+"; "+note, "; ")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		e.Target.App = "other"
		name, note, err = m.app(e)
		if name != "other" || note != "" || err != nil {
			t.Errorf("%s with app=other: got %q, %q, %v", text, name, note, err)
		}
		fields, err := m.fields(name)
		if p, again := parseManifest(fields); err != nil || again != nil || p.name != "other" {
			t.Errorf("%s with app=other: the package.json is %s, %v", text, fields, err)
		}
	}
	addressed, _ := parseManifest([]byte(`{"name":"@a/hello","subdomain":"hi","domains":["example.com"],"env":{"A":"1"}}`))
	for app, want := range map[string]string{
		"hello":   `{"domains":["example.com"],"env":{"A":"1"},"name":"hello","subdomain":"hi"}`,
		"staging": `{"env":{"A":"1"},"name":"staging"}`,
	} {
		if got, err := addressed.fields(app); err != nil || string(got) != want {
			t.Errorf("as %s: got %s, %v, want %s", app, got, err, want)
		}
	}
	m, _ := parseManifest([]byte(`{}`))
	if name, _, err := m.app(core.Entry{Repository: core.Repository{Name: "Hello"}}); name != "hello" || err != nil {
		t.Errorf("got %q, %v, want the repository's name", name, err)
	}
}

func TestSnapshotID(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"1.2.3":                  "1.2.3-96410ed970f6",
		"1.0.0-RC.1+build/x":     "1.0.0-rc.1-build-x-96410ed970f6",
		"../..":                  "0-96410ed970f6",
		strings.Repeat("9", 100): strings.Repeat("9", 46) + "-96410ed970f6",
	} {
		got, below := snapshotID(version, commitA, ""), snapshotID(version, commitA, "packages/api")
		if got != want || !core.ValidName(got) {
			t.Errorf("%q: got %q, want %q", version, got, want)
		}
		if !strings.HasPrefix(below, want+"-") || !core.ValidName(below) || below == snapshotID(version, commitA, "packages/web") {
			t.Errorf("%q: got %q for a folder", version, below)
		}
	}
}
