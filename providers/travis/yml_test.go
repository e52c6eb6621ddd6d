package travis

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

// finding is what a golden file of a .travis.yml holds.
type finding struct {
	Config Config
	Holds  bool // for master
	Reason string
}

// Every row of what a .travis.yml may say of webhooks is a file in
// testdata/config, with what is made of it beside it.
func TestConfigsAreReadAsTheirGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, yml := range configs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := ParseConfig(yml)
			if err != nil {
				t.Fatal(err)
			}
			f := finding{Config: c}
			f.Holds, f.Reason = c.Notifies("master")
			golden.Check(t, filepath.Join("config", name), f, *update)
			if strings.Contains(f.Reason, "example") {
				t.Errorf("the reason tells the address: %s", f.Reason)
			}
		})
	}
}

func configs(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/config/*.yml")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no files (%v)", err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		files[strings.TrimSuffix(filepath.Base(path), ".yml")] = golden.Payload(tb, path)
	}
	return files
}

// FACTS of travis-yml's schema, in short: which of them can fire on a pass.
func TestWhichConfigsNotifyAPass(t *testing.T) {
	t.Parallel()
	notify := map[string]bool{
		"text": true, "text-with-commas": true, "text-with-spaces": true, "list": true, "map": true, "map-with-one-url": true,
		"list-of-maps": true, "secure": true, "secure-urls": true, "secure-list": true, "msteams-beside-another": true,
		"notifications-list": true, "alias-webhook": true, "alias-notification": true, "change": true, "changed": true,
		"inherited-and-overridden": true, "anchors": true, "branches-both": true, "branches-list": true, "condition": true,
		"condition-of-builds": true, "frequencies-true-and-false": true, "change-as-symbol": true,
	}
	for name, yml := range configs(t) {
		c, err := ParseConfig(yml)
		if err != nil {
			t.Fatal(err)
		}
		got, reason := c.Notifies("master")
		if got != notify[name] || !strings.HasPrefix(reason, ".travis.yml ") {
			t.Errorf("%s: %v, %q", name, got, reason)
		}
		delete(notify, name)
	}
	for name := range notify {
		t.Errorf("%s is missing", name)
	}
}

// What only Travis CI can evaluate is not evaluated, and the reason says so.
func TestConditionsAndImportsAreReported(t *testing.T) {
	t.Parallel()
	for yml, want := range map[string]string{
		"notifications: {webhooks: http://a.example}":                 "",
		"if: branch = x\nnotifications: {webhooks: http://a.example}": "; not evaluated: if",
		"import: x.yml": "; not evaluated: import",
		"notifications: [{webhooks: [http://a.example, {urls: http://b.example, if: x}]}]": "; not evaluated: notifications.webhooks.if",
		"{if: x, import: y, notifications: {webhooks: {urls: http://a.example, if: z}}}":   "; not evaluated: import, if, notifications.webhooks.if",
		"notifications: {email: {if: x}, webhooks: http://a.example}\njobs: [{if: x}]":     "",
	} {
		c, err := ParseConfig([]byte(yml))
		if err != nil {
			t.Fatal(err)
		}
		_, plain := Config{Webhooks: c.Webhooks, Branches: c.Branches}.Notifies("main")
		if _, reason := c.Notifies("main"); reason != plain+want {
			t.Errorf("%s: got %q, want %q", yml, reason, plain+want)
		}
	}
}

func TestBranches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		branches, branch string
		want             bool
	}{
		{`{}`, "main", true},
		{`{only: main}`, "main", true},
		{`{only: main}`, "main2", false},
		{`{only: []}`, "main", true},
		{`{only: [1.0]}`, "1.0", true},
		{`{only: "a, b"}`, "b", true},
		{`{only: /^v\d+/}`, "v12-beta", true},
		{`{only: /^v\d+/}`, "main", false},
		{`{only: /^MAIN$/i}`, "main", true},
		{`{only: '/^(?!main)/'}`, "main", true}, // Ruby's: not known, so built
		{`{only: ['/^(a,b)$/']}`, "a,b", true},
		{`{except: main}`, "main", false},
		{`{except: main}`, "other", true},
		{`{except: /ma/}`, "main", false},
		{`{except: '/^(?!main)/'}`, "other", true},
		{`{except: [{a: b}, null]}`, "main", true},
		{`{only: main, except: /./}`, "main", true},
		{`main`, "main", true},
		{`[main, dev]`, "other", false},
		{`{}`, "gh-pages", false},
		{`{only: gh-pages}`, "gh-pages", true},
		{`{only: main}`, "", true}, // not known, so built
	} {
		config, err := ParseConfig([]byte("notifications: {webhooks: http://a.example}\nbranches: " + c.branches))
		if err != nil {
			t.Fatalf("%s: %v", c.branches, err)
		}
		if got, reason := config.Notifies(c.branch); got != c.want {
			t.Errorf("%s for %q: %v, %s", c.branches, c.branch, got, reason)
		}
	}
}

// An expression that is there to keep us busy is not tried, and counts as not known.
func TestExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	busy := "/" + strings.Repeat("((x?){30}){30}", 10) + "y/"
	for why, list := range map[string][]string{
		"large once compiled": {busy},
		"long":                {"/" + strings.Repeat("(x?x?)", 50) + "y/"},
		"many":                slices.Repeat([]string{"/y/"}, maxExpressions+1),
		"invalid flags":       {"/y/(?"},
		"long flags":          {"/y/" + strings.Repeat("i", 300)},
	} {
		if !(Branches{Only: list}).Include("main") {
			t.Errorf("%s: only keeps main out", why)
		}
		if !(Branches{Except: list}).Include("main") {
			t.Errorf("%s: except keeps main out", why)
		}
	}
	if (Branches{Only: slices.Repeat([]string{"/y/"}, maxExpressions)}).Include("main") {
		t.Error("expressions within the bound are not tried")
	}
	if !(Branches{Only: slices.Repeat([]string{"dev"}, 1000)}).Include("dev") || (Branches{Only: slices.Repeat([]string{"dev"}, 1000)}).Include("main") {
		t.Error("names are bounded too")
	}
}

func TestParseConfigRefuses(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		a := fmt.Sprintf("*a%d, ", i)
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(a, 10), ", "))
	}
	long := "a: &a \"" + strings.Repeat("x,", 100_000) + "\"\nnotifications: {webhooks: [" + strings.Repeat("*a,", 100_000) + "]}\n"
	for why, yml := range map[string]string{
		"no YAML":             "a: [",
		"a tab":               "a:\n\tb: c",
		"not UTF-8":           "a: \xff",
		"a list":              "- a",
		"a text":              "hello",
		"an alias of nothing": "a: *b",
		"aliases that repeat": bomb,
		"in the webhooks":     bomb + "notifications: {webhooks: *a9}",
		"a long text often":   long,
		"a cycle":             "a: &a [*a]",
		"a cycle of merges":   "a: &a {<<: *a}",
		"a large file":        "a: b #" + strings.Repeat(" ", MaxConfig),
	} {
		c, err := ParseConfig([]byte(yml))
		if err == nil {
			t.Errorf("%s: read as %+v", why, c)
		}
		if notifies, _ := c.Notifies("main"); notifies {
			t.Errorf("%s: notifies", why)
		}
	}
}

func TestParseConfigForgives(t *testing.T) {
	t.Parallel()
	for _, yml := range []string{
		"", "# nothing", "---\n", "~", "notifications:\n", "notifications: 7", "notifications: {webhooks: {urls: {a: b}}}",
		"notifications: {webhooks: {urls: [[], {}, ~, true]}}", "branches: {only: {a: b}}", "? [a, b]\n: c", "a: !!int x", "a: !ruby/object:Set {}",
		"a: " + strings.Repeat("[", 900) + strings.Repeat("]", 900),
	} {
		c, err := ParseConfig([]byte(yml))
		if err != nil || len(c.Webhooks) != 0 {
			t.Errorf("%.60q: %+v, %v", yml, c, err)
		}
	}
	large := "notifications: {webhooks: http://a.example}\njobs: [" + strings.Repeat("a,", 450_000) + "]\n"
	if c, err := ParseConfig([]byte(large)); err != nil || len(c.Webhooks) != 1 {
		t.Errorf("a large file without aliases: %v", err)
	}
}

// Reading ends however the YAML is broken, and the results agree with each other.
func FuzzParseConfig(f *testing.F) {
	for _, yml := range configs(f) {
		f.Add(yml, "master")
	}
	f.Add([]byte("a: &a [*a]\nnotifications: *a"), "")
	f.Add([]byte("notifications: {webhooks: a}\nbranches: {only: [/(/, /a{2,1}/, /(?i)x/i]}"), "x")
	f.Fuzz(func(t *testing.T, yml []byte, branch string) {
		c, err := ParseConfig(yml)
		notifies, reason := c.Notifies(branch)
		if err != nil && (notifies || len(c.Webhooks) > 0) {
			t.Fatalf("refused with %v, and yet %+v", err, c)
		}
		if reason == "" || notifies && len(c.Webhooks) == 0 {
			t.Fatalf("%v, %q with %+v", notifies, reason, c)
		}
		for _, w := range c.Webhooks {
			if len(w.URLs) == 0 && !w.Encrypted || w.OnSuccess == "" || w.OnStart == "" {
				t.Fatalf("webhook %+v", w)
			}
		}
	})
}
