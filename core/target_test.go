package core_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func target(t *testing.T, query string) (core.Target, error) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return core.NewTarget(values.Get)
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                                     "no parameters",
		"root=.":                               "no parameters",
		"root=/api":                            "root=api",
		"user=dscape&branch=feature/a":         "branch=feature/a",
		"app=hello&root=./packages/api/":       "app=hello, root=packages/api",
		"paths=a/**,,+!**/*.md&gate=none":      "paths=a/**,!**/*.md, gate=none",
		"gate=checks&gate_empty=deploy":        "gate=checks, gate_empty=deploy",
		"root=packages/../apps/web&branch=dev": "branch=dev, root=apps/web",
	} {
		got, err := target(t, query)
		if err != nil || got.String() != want || got.IsZero() != (want == "no parameters") {
			t.Errorf("%q: got %s, %v, want %s", query, got, err, want)
		}
	}
	for _, query := range []string{
		"app=Hello", "app=../x", "root=..", "root=../x", "root=a%5Cb", "root=a%00b", "branch=a%0Ab", "paths=!", "paths=/",
		"gate_empty=wait", "gate=%01", "branch=" + strings.Repeat("x", 300), "paths=" + strings.Repeat("a,", 60), "root=%ff",
	} {
		if got, err := target(t, query); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%q: got %s, %v, want an error that says what is expected", query, got, err)
		}
	}
}

func TestTargetMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ paths, matches, others string }{
		{"packages/api", "packages/api/a.js packages/api/lib/b.js", "packages/apis/a.js packages/web/a.js packages"},
		{"packages/api/**", "packages/api/a.js packages/api/lib/b.js", "packages/web/a.js"},
		{"*.js", "a.js", "a.ts lib/a.js"},
		{"**/*.js", "a.js lib/a.js a/b/c.js", "a.ts lib/a.jsx"},
		{"src/**/test?.js", "src/test1.js src/a/b/test2.js", "src/test.js src/test12.js"},
		{"**,!**/*.md,!docs", "a.js README", "README.md a/b.md docs/index.html"},
		{"!docs", "a.js", "docs/a.js"},
		{"docs,!docs/old,docs/old/keep", "docs/a docs/old/keep", "docs/old/b"},
		{"**", "a a/b", ""},
		{"a*b*c", "abc aXbYc", "ab acb"},
	} {
		got, err := target(t, "paths="+url.QueryEscape(c.paths))
		if err != nil {
			t.Fatal(err)
		}
		for file := range strings.FieldsSeq(c.matches) {
			if !got.Matches(file) {
				t.Errorf("%s does not match %s", c.paths, file)
			}
		}
		for file := range strings.FieldsSeq(c.others) {
			if got.Matches(file) {
				t.Errorf("%s matches %s", c.paths, file)
			}
		}
	}
	long := core.Target{Paths: []string{strings.Repeat("**/", 80) + "x"}}
	if long.Matches(strings.Repeat("a/", 2000)) {
		t.Error("a long pattern matches")
	}
}
