package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// chatty is an app whose drones write 4,000 lines each, less than a drone may
// write at once.
const chatty = `
const lines = [];
for (let i = 0; i < 4000; i++) lines.push('line ' + i);
process.stdout.write(lines.join('\n') + '\n');
require('http').createServer((req, res) => res.end()).listen(process.env.PORT);
`

type line struct {
	Time                      float64
	Service, Description, App string
	Drone                     int
}

func lines(a answer) (list []line) {
	a.t.Helper()
	a.decode(&list)
	if list == nil {
		a.t.Errorf("%s: the response is not a list: %.100s", a.call, a.body)
	}
	return list
}

// eventually repeats a call until ok accepts the response.
func (b *fixture) eventually(who, call, body string, ok func(answer) bool) answer {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		a := b.call(who, call, body)
		if ok(a) {
			return a
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatalf("%s stays %.500s", call, a.body)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.builder.js = chatty
	b.app("app")
	if list := lines(b.must(200, me, "GET /logs/me/app", "")); len(list) != 0 {
		t.Errorf("an app that never ran has the log %v", list)
	}
	b.must(200, me, upload, "tgz")
	b.must(200, me, "POST /apps/me/app/cloud", `[{"drones":3}]`)
	b.must(200, me, "POST /apps/me/app/start", "{}")
	b.eventually(me, "GET /logs/me/app/10000", "", func(a answer) bool {
		found := 0
		for _, l := range lines(a) {
			if l.Description == "line 3999" {
				found++
			}
		}
		return found == 3
	})
	for _, c := range []struct {
		call, body string
		want       int
	}{
		{"GET /logs/me/app", "", 100},
		{"GET /logs/me/app/1", "", 1},
		{"GET /logs/me/app/10000", "", 10_000},
		{"GET /logs/me/app/999999999", "", 10_000},
		{"POST /logs/me/app", "", 100},
		{"POST /logs/me/app", `{"rows":7}`, 7},
		{"POST /logs/me/app", `{"rows":-7}`, 100},
		{"POST /logs/me/app", `{"rows":20000}`, 10_000},
		{"POST /logs/me", `{"rows":3}`, 3},
		{"POST /logs/me", ``, 100},
		{"POST /logs/me/app", `{"from":null,"until":"","rows":2}`, 2},
		{"POST /logs/me/app", `{"until":"2001-01-01T00:00:00Z"}`, 0},
		{"POST /logs/me/app", `{"until":978307200000}`, 0},
		{"POST /logs/me/app", `{"from":"2001-01-01T00:00:00+02:00","rows":2}`, 2},
		{"POST /logs/me/app", `{"from":` + strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10) + `}`, 0},
		{"POST /logs/me", `{"until":978307200000}`, 0},
	} {
		if list := lines(b.must(200, me, c.call, c.body)); len(list) != c.want {
			t.Errorf("%s %s: %d lines, want %d", c.call, c.body, len(list), c.want)
		}
	}
	for _, rows := range []string{"0", "-1", "ten", "1.5", "99999999999999999999"} {
		b.refused(400, "invalid", me, "GET /logs/me/app/"+rows, "")
	}
	for _, moment := range []string{`"yesterday"`, `-1`, `1e300`, `true`, `{}`, `[1]`} {
		b.refused(400, "invalid", me, "POST /logs/me/app", fmt.Sprintf(`{"from":%s}`, moment))
	}
	b.must(200, me, "POST /apps/me/app/stop", "{}")
	var app struct{ App struct{ State string } }
	b.must(200, me, "GET /apps/me/app", "").decode(&app)
	if app.App.State != "stopped" {
		t.Errorf("the app is %s", app.App.State)
	}
	b.must(200, me, "DELETE /users/me", "") // with its app
	b.refused(404, "not_found", operator, "GET /apps/me/app", "")
}

// A line has its time and its source, and the newest is the first.
func TestLogLines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.builder.js = `console.log('said'); console.error('warned');
		require('http').createServer((req, res) => res.end()).listen(process.env.PORT);`
	before := time.Now()
	for _, name := range []string{"one", "two"} {
		b.app(name)
		b.must(200, me, "POST /apps/me/"+name+"/snapshots/1", "tgz")
		b.must(200, me, "POST /apps/me/"+name+"/start", "{}")
	}
	list := lines(b.eventually(me, "POST /logs/me", "", func(a answer) bool { return len(lines(a)) == 8 }))
	seen := map[string]bool{}
	for i, l := range list {
		seen[l.App+" "+l.Service+" "+l.Description] = true
		if at := time.UnixMilli(int64(l.Time * 1000)); at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("the time %v is not recent", l.Time)
		}
		if i > 0 && l.Time > list[i-1].Time {
			t.Errorf("the newest is not the first: %v", list)
		}
		if said := l.Description == "said" || l.Description == "warned"; said != (l.Drone == 1) {
			t.Errorf("a line of drone %d: %v", l.Drone, l)
		}
	}
	for _, want := range []string{"one logs/stdout said", "one logs/stderr warned", "two logs/stdout said", "two logs/stderr warned", "one logs/stderr starting snapshot 1"} {
		if !seen[want] {
			t.Errorf("%q is missing in %v", want, list)
		}
	}
	if one := lines(b.must(200, me, "GET /logs/me/one", "")); len(one) != 4 || one[0].App != "one" {
		t.Errorf("the log of one is %v", one)
	}
}

// The document of an app has the fields that the published clients read.
func TestDocument(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(201, me, "POST /apps/me/app", `{"name":"app","version":"1.2.3","subdomain":"Sub","domains":["example.org"],
		"env":{"A":"b","N":1,"T":true},"engines":{"node":"20.x"},"scripts":{"start":"node server.js"},
		"state":"started","user":"you","drones":7,"custom":{"a":[1]}}`)
	document := func() map[string]any {
		return b.must(200, me, "GET /apps/me/app", "").object()["app"].(map[string]any)
	}
	check := func(want map[string]string) {
		t.Helper()
		got := document()
		for name, value := range want {
			text, err := json.Marshal(got[name])
			if err != nil || string(text) != value {
				t.Errorf("%s is %s, want %s", name, text, value)
			}
		}
	}
	check(map[string]string{
		"_id": `"me/app"`, "name": `"app"`, "user": `"me"`, "version": `"1.2.3"`, "subdomain": `"sub"`, "domains": `["example.org"]`,
		"env": `{"A":"b","N":"1","T":"true"}`, "engines": `{"node":"20.x"}`, "scripts": `{"start":"node server.js"}`,
		"dependencies": `{}`, "state": `"stopped"`, "drones": `0`, "maxDrones": `1`, "custom": `{"a":[1]}`, "snapshots": `[]`,
		"active": `null`, "running": `null`, "url": `"http://sub.localhost"`,
		"config": `{"cloud":[{"datacenter":"local","drones":1,"provider":"webhooks","ram":1024}]}`,
	})
	b.refused(400, "no_snapshots", me, "POST /apps/me/app/start", "{}")
	if got := b.call(me, "POST /apps/me/app/start", "{}").object()["message"]; got != "Cannot start application with no snapshots" {
		t.Errorf("the message is %q", got)
	}
	b.must(200, me, upload, "tgz")
	b.must(200, me, "POST /apps/me/app/start", "{}")
	b.must(200, me, "POST /apps/me/app/cloud", `[{"drones":2}]`)
	check(map[string]string{"state": `"started"`, "drones": `2`, "maxDrones": `2`})
	for _, name := range []string{"active", "running"} {
		if s, _ := document()[name].(map[string]any); s["id"] != "v1" || s["filename"] != "v1.tgz" {
			t.Errorf("%s is %v", name, s)
		}
	}
	b.refused(409, "conflict", me, "DELETE /apps/me/app/snapshots/v1", "")
	b.must(200, me, "POST /apps/me/app/restart", "{}")
	b.must(200, me, "PUT /apps/me/app", `{"version":"1.2.4","env":{}}`)
	check(map[string]string{"version": `"1.2.4"`, "env": `{}`, "subdomain": `"sub"`, "state": `"started"`})
	b.must(200, me, "DELETE /apps/me/app", "")
	if got := b.must(200, me, "GET /apps/me", "").body; got != "{\"apps\":[]}\n" {
		t.Errorf("the list is %s", got)
	}
}
