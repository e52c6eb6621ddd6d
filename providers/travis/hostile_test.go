package travis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// Every field that decides whether a build passed, and of what, is refused
// if it occurs twice in its object; another case is another field.
func TestFieldsThatDecideComeOnce(t *testing.T) {
	t.Parallel()
	for key, value := range map[string]string{
		"id": "7", "number": `"11"`, "type": `"push"`, "state": `"passed"`, "status": "0", "result": "0", "status_message": `"Passed"`,
		"result_message": `"Passed"`, "commit": `"` + sha("a") + `"`, "branch": `"main"`, "tag": "null", "pull_request": "false",
		"pull_request_number": "null", "head_commit": "null", "repository": `{"name":"n","owner_name":"o"}`, "compare_url": `""`, "build_url": `""`,
	} {
		for _, twin := range []string{key, fmt.Sprintf(`\u%04x`, key[0]) + key[1:]} {
			for _, payload := range []string{
				`{"` + twin + `":null,` + build(`"` + key + `":` + value)[1:],
				strings.TrimSuffix(build(`"`+key+`":`+value), "}") + `,"` + twin + `":null}`,
			} {
				_, err := Provider{}.Parse(deliver(t, payload))
				if failure := core.AsError(err); err == nil || !strings.Contains(failure.Reason, "twice") {
					t.Errorf("%s and %s: got %v", key, twin, err)
				}
			}
		}
		other := `{"` + strings.ToUpper(key) + `":{"evil":true},` + build(`"` + key + `":` + value)[1:]
		if e, err := (Provider{}).Parse(deliver(t, other)); err != nil || e.Repository.Slug() != "o/n" || e.Branch != "main" || e.Build.State != "passed" {
			t.Errorf("%s beside %s: %+v, %v", strings.ToUpper(key), key, e, err)
		}
	}
	for _, inner := range []string{`"name":"n","owner_name":"o","name":"evil"`, `"name":"n","owner_name":"o","owner_n\u0061me":"evil"`} {
		_, err := Provider{}.Parse(deliver(t, build(`"repository":{`+inner+`}`)))
		if failure := core.AsError(err); err == nil || !strings.Contains(failure.Reason, "twice") {
			t.Errorf("%s: got %v", inner, err)
		}
	}
}

// Payloads made to be misread, or to cost much, are refused with a code and a
// reason, or read for what they are.
func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	for why, c := range map[string]struct {
		payload string
		reason  string // "": it is read
	}{
		"lists, 10,000 deep":          {`{"matrix":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "," + build()[1:], "nested"},
		"objects, 10,000 deep":        {`{"config":` + strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000) + "," + build()[1:], "nested"},
		"NUL in a string":             {build("\"branch\":\"a\x00b\""), "not valid JSON"},
		"NUL, escaped, in the branch": {build(`"branch":"a\u0000b"`), "branch"},
		"NUL, escaped, in the tag":    {build(`"tag":"a\u0000b"`), "tag"},
		"NUL, escaped, in a name":     {build(`"repository":{"name":"n\u0000","owner_name":"o"}`), "repository"},
		"NUL, escaped, in a number":   {build(`"number":"1\u0000"`), ""},
		"a byte order mark":           {"\ufeff" + build(), ""},
		"a byte order mark inside":    {"{\ufeff" + build()[1:], "not valid JSON"},
		"not UTF-8 in the state":      {build("\"state\":\"passed\xff\""), "UTF-8"},
		"half a pair in the branch":   {build(`"branch":"a\ud800"`), "branch"},
		"an id beyond 64 bits":        {build(`"id":` + strings.Repeat("9", 100_000)), ""},
		"an id beyond all floats":     {build(`"id":1e999999999`), ""},
		"a status beyond 64 bits":     {build(`"status":` + strings.Repeat("9", 100_000)), ""},
		"a pull request's number":     {build(`"pull_request_number":` + strings.Repeat("9", 100_000)), ""},
		"an invalid date":             {build(`"committed_at":"99999-99-99T99:99:99Z"`), ""},
		"a branch with CR LF":         {build(`"branch":"a\r\nX: y"`), "branch"},
		"a branch of 10 KB":           {build(`"branch":"` + strings.Repeat("b", 10_000) + `"`), "branch"},
		"a message of 20 MB":          {build(`"message":"` + strings.Repeat("m", 20<<20) + `"`), ""},
		"a million jobs":              {build(`"matrix":[` + strings.Repeat("{},", 1_000_000) + "{}]"), ""},
	} {
		e, err := Provider{}.Parse(deliver(t, c.payload))
		switch {
		case c.reason != "":
			if failure := core.AsError(err); err == nil || failure.Code != core.CodeProviderNotSupported || !strings.Contains(failure.Reason, c.reason) {
				t.Errorf("%s: %+v, %v", why, e, err)
			}
		case err != nil || e.Repository.Slug() != "o/n" || e.Commit.ID != sha("a") || len(e.Build.ID) > 100 || len(e.Build.Number) > 256:
			t.Errorf("%s: %+v, %v", why, e, err)
		default:
			if text, err := json.Marshal(e); err != nil || len(text) > 64<<10 {
				t.Errorf("%s: it is kept as %d bytes, %v", why, len(text), err)
			}
		}
	}
}

// A .travis.yml that says one thing in several ways, or to different readers
// different ones, is read in one way, or not.
func TestHostileConfigs(t *testing.T) {
	t.Parallel()
	const hook = "notifications: {webhooks: http://a.example}\n"
	merges := hook + "x0: &x0 {a: b}\n"
	for i := range 40 {
		merges += fmt.Sprintf("x%d: &x%d {<<: [*x%d, *x%d], k%d: v}\n", i+1, i+1, i, i, i)
	}
	var lines strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&lines, "k%d: {a: b}\n", i)
	}
	for why, c := range map[string]struct {
		yml  string
		want int // webhooks; -1: it is refused
	}{
		"merges that double":        {merges + "notifications: *x40\n", -1},
		"merges that double, apart": {merges, -1},
		"a merge of itself, deep":   {hook + "a: &a {b: {c: {<<: *a}}}\n", -1},
		"a merge of a list of self": {"notifications: &a {<<: [*a, *a]}\n", -1},
		"a cycle as the webhooks":   {"notifications: {webhooks: &a [http://a.example, *a]}\n", -1},
		"a cycle by a key":          {hook + "? &a [*a]\n: x\n", -1},
		"merge of a text":           {"notifications: {<<: hello, webhooks: http://a.example}\n", 1},
		"a merge that is overruled": {"x: &x {webhooks: http://b.example}\nnotifications: {<<: *x, webhooks: http://a.example}\n", 1},
		"a key twice":               {hook + "notifications: {webhooks: [http://b.example, http://c.example]}\n", 2},
		"a key twice, then off":     {hook + "notifications: off\n", 0},
		"two documents":             {"language: node_js\n---\n" + hook, 0},
		"5 MiB":                     {hook + "x: " + strings.Repeat("y", 5<<20) + "\n", -1},
		"5 MiB of comments":         {hook + strings.Repeat("# x\n", 5<<18), -1},
		"a tag for Python":          {hook + "x: !!python/object/apply:os.system [\"touch /tmp/evil\"]\n", 1},
		"a tag for Ruby":            {hook + "x: !ruby/object:Gem::Installer {i: x}\n", 1},
		"a tag for a URL":           {"notifications: {webhooks: !!binary aHR0cDovL2EuZXhhbXBsZQ==}\n", -2},
		"a tag of 100 KB":           {hook + "x: !" + strings.Repeat("t", 100_000) + " y\n", -2},
		"an anchor of 100 KB":       {hook + "x: &" + strings.Repeat("t", 100_000) + " y\n", -2},
		"100,000 anchors":           {hook + "x: [" + strings.Repeat("&a b,", 100_000) + "b]\n", 1},
		"60,000 keys":               {hook + lines.String(), 1},
		"20,000 lists deep":         {hook + "x: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "\n", -1},
		"20,000 dashes deep":        {hook + "x:\n  " + strings.Repeat("- ", 20_000) + "y\n", -1},
		"NUL":                       {hook + "x: \x00\n", -1},
		"NUL, escaped":              {"notifications: {webhooks: \"http://a.example\\0\"}\n", -2},
		"half a pair":               {hook + "x: \"\\ud800\"\n", -2},
		"UTF-16":                    {"\xff\xfea\x00:\x00 \x00b\x00\n\x00", 0},
		"a byte order mark":         {"\ufeff" + hook, 1},
		"a number beyond all":       {hook + "x: 1e999999999\ny: " + strings.Repeat("9", 100_000) + "\n", 1},
	} {
		config, err := ParseConfig([]byte(c.yml))
		switch {
		case c.want == -2: // either is fine, as long as it ends
		case c.want == -1:
			if err == nil {
				t.Errorf("%s: read as %.200v", why, fmt.Sprint(config))
			}
		case err != nil || len(config.Webhooks) != c.want:
			t.Errorf("%s: %d webhooks, %v; want %d", why, len(config.Webhooks), err, c.want)
		}
		if err != nil && (len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\x00\n")) {
			t.Errorf("%s: the error is not fit to be shown: %.500q", why, err)
		}
	}
}
