package apps

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// Whatever body makes or changes an app: the app stays whose it was, what a
// process is started with can be given to one, what is kept can be read again,
// and nobody says in the platform's place what the platform tells.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"name":"app","version":"1.0.0","env":{"A":"1","B":2,"C":true,"D":null}}`, `{"name":"other"}`, `{"subdomain":"SUB"}`, `{"subdomain":"a..b"}`,
		`{"subdomain":""}`, `{"domains":"Example.com."}`, `{"domains":["a.example.com","a.example.com","x.localhost"]}`, `{"domains":["../a","a b"]}`,
		`{"env":{"A=B":"c"}}`, `{"env":{"A":"a\u0000B=c"}}`, `{"env":{"A":1e400}}`, `{"env":{"A":{"b":1}}}`, `{"_id":"you/app","user":"you","state":"started","drones":9}`,
		`{"url":"http://evil","active":{"id":"x"},"snapshots":[1],"config":{"cloud":[]},"URL":1}`, `{"engines":{"node":">=20"},"scripts":[]}`, `{"version":7}`,
	} {
		f.Add([]byte(seed))
	}
	a := &Apps{o: Options{Domain: "localhost", URL: func(subdomain string) string { return "http://" + subdomain + ".localhost" }}}
	f.Fuzz(func(t *testing.T, body []byte) {
		var fields Fields
		if json.Unmarshal(body, &fields) != nil {
			return
		}
		d := document{User: "me", Name: "app", Subdomain: "app", Cloud: []Cloud{{Provider: "p", Datacenter: "d", Drones: 1, RAM: 256}}}
		if err := a.apply(&d, fields); err != nil {
			if core.CodeOf(err) != core.CodePlatformInvalid {
				t.Fatalf("%q: %v", body, err)
			}
			return // what was applied is dropped
		}
		if d.User != "me" || d.Name != "app" || len(d.Cloud) != 1 || d.Snapshots != nil || d.Active != "" || !core.ValidName(d.Subdomain) {
			t.Fatalf("%q: %+v", body, d)
		}
		size := 0
		for name, value := range d.Env {
			size += len(name) + len(value)
			if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") || size > maxEnv {
				t.Fatalf("%q: the variable %q=%q", body, name, value)
			}
		}
		if len(d.Domains) > maxDomains || !slices.IsSorted(d.Domains) {
			t.Fatalf("%q: domains %q", body, d.Domains)
		}
		for _, domain := range d.Domains {
			if strings.ToLower(domain) != domain || len(domain) > maxHost || strings.ContainsAny(domain, "/:@ \x00") || domain == "localhost" || strings.HasSuffix(domain, ".localhost") {
				t.Fatalf("%q: domain %q", body, domain)
			}
		}
		kept, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var again document
		if err := json.Unmarshal(kept, &again); err != nil || !reflect.DeepEqual(again.Env, d.Env) && len(d.Env) > 0 || !slices.Equal(again.Domains, d.Domains) || again.Subdomain != d.Subdomain {
			t.Fatalf("%q is kept as %s, and read as %+v, %v", body, kept, again, err)
		}
		told, err := json.Marshal(a.tell(d, standing{state: StateStopped}))
		if err != nil {
			t.Fatal(err)
		}
		// By their exact names, as encoding/json takes a struct's in any case.
		var app map[string]json.RawMessage
		if err := json.Unmarshal(told, &app); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"_id": `"me/app"`, "user": `"me"`, "state": `"stopped"`, "drones": "0", "snapshots": "[]", "active": "", "running": ""} {
			if string(app[name]) != want {
				t.Fatalf("%q is told as %s", body, told)
			}
		}
	})
}
