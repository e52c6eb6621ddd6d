package apps

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

// For any body that creates or changes an app: the owner is unchanged, the
// environment is valid for a process, the document can be read again, and the
// platform's own fields can't be set.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"name":"app","version":"1.0.0","env":{"A":"1","B":2,"C":true,"D":null}}`, `{"name":"other"}`, `{"subdomain":"SUB"}`, `{"subdomain":"a..b"}`,
		`{"subdomain":""}`, `{"domains":"Example.com."}`, `{"domains":["a.example.com","a.example.com","x.localhost"]}`, `{"domains":["../a","a b"]}`,
		`{"env":{"A=B":"c"}}`, `{"env":{"A":"a\u0000B=c"}}`, `{"env":{"A":1e400}}`, `{"env":{"A":{"b":1}}}`, `{"_id":"you/app","user":"you","state":"started","drones":9}`,
		`{"url":"http://evil","active":{"id":"x"},"snapshots":[1],"config":{"cloud":[]},"URL":1}`, `{"engines":{"node":">=20"},"scripts":[]}`, `{"version":7}`,
	} {
		f.Add([]byte(seed))
	}
	keys, err := seal.Parse(seal.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	a := &Apps{
		o: Options{
			Domain: "localhost", Runner: noRunner{}, URL: func(subdomain string) string { return "http://" + subdomain + ".localhost" },
		},
		docs: &documents{seal: keys},
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var fields Fields
		if json.Unmarshal(body, &fields) != nil {
			return
		}
		d := document{User: "me", Name: "app"}
		d.Subdomain = "app"
		read, err := a.parse("app", fields)
		if err == nil {
			err = a.docs.set(&d, read)
		}
		if err != nil {
			if core.CodeOf(err) != core.CodePlatformInvalid {
				t.Fatalf("%q: %v", body, err)
			}
			return // what was changed is dropped
		}
		if d.User != "me" || d.Name != "app" || d.Snapshots != nil || d.Active != "" || d.Running != nil || !core.ValidName(d.Subdomain) {
			t.Fatalf("%q: %+v", body, d)
		}
		env, err := a.docs.openEnv(d, d.Set.Env)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		size := 0
		for name, value := range env {
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
		if err := json.Unmarshal(kept, &again); err != nil || again.Set.Env != d.Set.Env || !slices.Equal(again.Domains, d.Domains) || again.Subdomain != d.Subdomain {
			t.Fatalf("%q is kept as %s, and read as %+v, %v", body, kept, again, err)
		}
		shown, err := json.Marshal(a.view(d))
		if err != nil {
			t.Fatal(err)
		}
		// By their exact names, as encoding/json takes a struct's in any case.
		var app map[string]json.RawMessage
		if err := json.Unmarshal(shown, &app); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"_id": `"me/app"`, "user": `"me"`, "state": `"stopped"`, "drones": "0", "snapshots": "[]", "active": "", "running": ""} {
			if string(app[name]) != want {
				t.Fatalf("%q is shown as %s", body, shown)
			}
		}
	})
}

// noRunner runs nothing.
type noRunner struct{ runner.Runner }

// State returns that of an app that is stopped.
func (noRunner) State(string, string) runner.State { return runner.State{Phase: runner.Stopped} }
