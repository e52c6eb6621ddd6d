package nodejitsu_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2013, 5, 6, 7, 8, 9, 10e6, time.UTC)
	for text, want := range map[string]time.Time{
		`"2013-05-06T07:08:09.010Z"`:      at,
		`"2013-05-06T09:08:09.010+02:00"`: at,
		`1367824089010`:                   at,
		`0`:                               {},
		`-1`:                              {},
		`null`:                            {},
		`""`:                              {},
		`"1367824089010"`:                 {},
		`"yesterday"`:                     {},
		`1e400`:                           {},
		`true`:                            {},
		`{"at":1}`:                        {},
	} {
		got := nodejitsu.Time{Time: time.Unix(1, 0)} // must be overwritten
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got.Time != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]nodejitsu.LogLine{
		`{"time":1367824089,"service":"logs/stdout","description":"hi"}`: {Time: time.Unix(1367824089, 0).UTC(), Text: "hi"},
		`{"time":1367824089.5,"service":"logs/stderr","description":""}`: {Time: time.UnixMilli(1367824089500).UTC(), Stderr: true},
		`{"service":"logs/other","description":"\u001b[31mred"}`:         {Time: time.Unix(0, 0).UTC(), Text: "\x1b[31mred"},
		`{"time":-0.001}`: {Time: time.UnixMilli(-1).UTC()},
	} {
		var got nodejitsu.LogLine
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`"hi"`, `{"time":"now"}`, `{"description":7}`, `[]`} {
		var got nodejitsu.LogLine
		if json.Unmarshal([]byte(text), &got) == nil {
			t.Errorf("%s is %+v", text, got)
		}
	}
}

// Fractional seconds are not exact, but milliseconds are preserved.
func TestLogLineKeepsMilliseconds(t *testing.T) {
	t.Parallel()
	for ms := int64(1); ms < 2_000_000_000_000; ms += 200_000_033 {
		text, err := json.Marshal(map[string]float64{"time": float64(ms) / 1000})
		if err != nil {
			t.Fatal(err)
		}
		var got nodejitsu.LogLine
		if err := json.Unmarshal(text, &got); err != nil || got.Time.UnixMilli() != ms {
			t.Fatalf("%s is %d, %v", text, got.Time.UnixMilli(), err)
		}
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]nodejitsu.Env{
		`{}`:                                  {},
		`{"A":"1","B":""}`:                    {"A": "1", "B": ""},
		`{"A":1,"B":-1.50,"C":1e3,"D":true}`:  {"A": "1", "B": "-1.50", "C": "1e3", "D": "true"},
		`{"A": false, "B":12345678901234567}`: {"A": "false", "B": "12345678901234567"},
		`{"A":null,"B":{"C":"1"},"D":["1"]}`:  {},
		`{"A":"null","B":"{}"}`:               {"A": "null", "B": "{}"},
		`{"a":"1","A":"2"}`:                   {"a": "1", "A": "2"},
		`null`:                                nil,
		`[]`:                                  nil,
		`"A=1"`:                               nil,
		`7`:                                   nil,
	} {
		got := nodejitsu.Env{"old": "1"} // must be overwritten
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}

// Any JSON of a platform reads as an Env, which is equal after it is written and
// read again; strings are preserved.
func FuzzEnv(f *testing.F) {
	for _, seed := range []string{
		`{"A":"1","B":2,"C":true,"D":null,"E":{"F":1},"G":[1]}`, `null`, `[]`, `"A"`, `{"\ud800":"\ud800"}`, `{"A":1,"A":"2"}`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var env nodejitsu.Env
		if err := json.Unmarshal(text, &env); err != nil {
			if json.Valid(text) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		var texts map[string]string
		if json.Unmarshal(text, &texts) == nil {
			for name, value := range texts {
				if got, ok := env[name]; ok && got != value {
					t.Errorf("%q: %s is %q, want %q", text, name, got, value)
				}
			}
		}
		written, err := json.Marshal(env)
		if err != nil {
			t.Fatal(err)
		}
		var again nodejitsu.Env
		if err := json.Unmarshal(written, &again); err != nil || !maps.Equal(again, env) {
			t.Errorf("%q is %v, and then %v: %v", text, env, again, err)
		}
	})
}

func TestApp(t *testing.T) {
	t.Parallel()
	const text = `{
		"_id": "maciej/a", "name": "a", "user": "maciej", "subdomain": "sub", "domains": ["a.example.org"],
		"version": "1.2.3", "state": "crashed", "reason": "It ended with 1", "drones": 1, "maxDrones": 2,
		"env": {"A": 1}, "engines": {"node": ">=22"}, "scripts": {"start": "node ."}, "dependencies": {},
		"config": {"cloud": [{"provider": "p", "datacenter": "one", "drones": 2, "ram": 256}], "port": 80},
		"snapshots": [{"id": "1"}, {"id": "2", "active": true}], "active": {"id": "2"}, "running": {"id": "1", "filename": "1.tgz"},
		"crashed": {"snapshot": "2", "drones": 1, "reason": "It ended with 1", "time": "2013-05-06T07:08:09Z"},
		"ctime": 1367824089000, "mtime": "2013-05-06T07:08:09Z", "url": "http://sub.localhost"}`
	var a nodejitsu.App
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"_id":"maciej/a","name":"a","user":"maciej","subdomain":"sub","domains":["a.example.org"],` +
		`"version":"1.2.3","state":"crashed","reason":"It ended with 1","drones":1,"maxDrones":2,` +
		`"env":{"A":"1"},"engines":{"node":"\u003e=22"},"scripts":{"start":"node ."},` +
		`"config":{"cloud":[{"provider":"p","datacenter":"one","drones":2,"ram":256}]},` +
		`"snapshots":[{"id":"1","ctime":"0001-01-01T00:00:00Z","md5":"","filename":"","active":false,"running":false},` +
		`{"id":"2","ctime":"0001-01-01T00:00:00Z","md5":"","filename":"","active":true,"running":false}],` +
		`"active":{"id":"2","ctime":"0001-01-01T00:00:00Z","md5":"","filename":"","active":false,"running":false},` +
		`"running":{"id":"1","ctime":"0001-01-01T00:00:00Z","md5":"","filename":"1.tgz","active":false,"running":false},` +
		`"crashed":{"snapshot":"2","drones":1,"reason":"It ended with 1","time":"2013-05-06T07:08:09Z"},` +
		`"ctime":"2013-05-06T07:08:09Z","mtime":"2013-05-06T07:08:09Z","url":"http://sub.localhost"}`
	if string(written) != want {
		t.Errorf("read\n%s, want\n%s", written, want)
	}
}

// Fields of a package.json that conflict with those of the API neither break
// decoding nor replace the API's values.
func TestAppWithConflictingFields(t *testing.T) {
	t.Parallel()
	const text = `{"URL":"http://evil.example.org","State":{"a":1},"Env":{"A":"2"},"DRONES":"many","env":{"A":"1"},
		"version":1,"subdomain":["a"],"domains":["a.example.org",1],"config":{"cloud":"joyent"},"crashed":"twice","engines":"node 22","scripts":[]}`
	var a nodejitsu.App
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if a.URL != "" || a.State != "" || a.Drones != 0 || a.Env["A"] != "1" || a.Version != "" || a.Subdomain != "" ||
		a.Domains != nil || a.Config.Cloud != nil || a.Crashed != nil || string(a.Engines) != `"node 22"` || string(a.Scripts) != "[]" {
		t.Errorf("read %+v", a)
	}
}
