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
		"ping":           {core.Event{Kind: core.EventPing}, core.StatusOK, false, ""},
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
		"":       deployBranch(Request{}, core.Event{}),
		"trunk":  deployBranch(Request{}, named),
		"stable": deployBranch(Request{Branch: "stable"}, named),
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

func TestParsePackage(t *testing.T) {
	t.Parallel()
	p, version, err := parsePackage([]byte("\xef\xbb\xbf{\"name\":\"hello\",\"version\":\"1.2.3\",\"main\":[1]}\n"))
	if err != nil || p.Name != "hello" || version != "1.2.3" || p.Fields[0] != '{' {
		t.Errorf("got %q %q %v", p.Name, version, err)
	}
	for name, text := range map[string]string{
		"not JSON": "{", "array": "[]", "no name": "{}", "name is a number": `{"name":1}`,
		"scoped": `{"name":"@a/b"}`, "climbing": `{"name":"../x"}`, "upper case": `{"name":"Hello"}`, "null": "null",
	} {
		if _, _, err := parsePackage([]byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestSnapshotID(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"1.2.3":                  "1.2.3-96410ed970f6",
		"1.0.0-RC.1+build/x":     "1.0.0-rc.1-build-x-96410ed970f6",
		"../..":                  "0-96410ed970f6",
		strings.Repeat("9", 100): strings.Repeat("9", 51) + "-96410ed970f6",
	} {
		got := snapshotID(version, commitA)
		if got != want || !core.ValidName(got) {
			t.Errorf("%q: got %q, want %q", version, got, want)
		}
	}
}
