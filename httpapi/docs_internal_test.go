package httpapi

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

var updateDocs = flag.Bool("update-docs", false, "write the error table of docs/api.md")

const apiPage = "../docs/api.md"

// section returns what the page has between the two comments of that name.
func section(t *testing.T, name string) (before, text, after string) {
	t.Helper()
	content, err := os.ReadFile(apiPage)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, found := strings.Cut(string(content), begin)
	text, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no section %q", apiPage, name)
	}
	return before + begin, text, end + after
}

// TestDocsHaveEveryRoute compares the page's table of routes with the code.
func TestDocsHaveEveryRoute(t *testing.T) {
	t.Parallel()
	_, text, _ := section(t, "routes")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ [^`]+)` \\|").FindAllStringSubmatch(text, -1) {
		documented = append(documented, row[1])
	}
	var routes []string
	for _, r := range New(Options{}).routes() {
		routes = append(routes, r.method+" "+r.path)
	}
	slices.Sort(documented)
	slices.Sort(routes)
	if !slices.Equal(documented, routes) {
		t.Errorf("%s has the routes\n%s\nand the code has\n%s", apiPage, strings.Join(documented, "\n"), strings.Join(routes, "\n"))
	}
}

// TestOpenAPIHasEveryRoute compares the table of operations with the code.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	t.Parallel()
	described := slices.Sorted(maps.Keys(operations()))
	var routes []string
	for _, r := range New(Options{}).routes() {
		routes = append(routes, r.method+" "+r.path)
	}
	slices.Sort(routes)
	if !slices.Equal(described, routes) {
		t.Errorf("openapi_routes.go describes\n%s\nand the code has\n%s", strings.Join(described, "\n"), strings.Join(routes, "\n"))
	}
}

// TestDocsHaveEveryError compares the page's table of errors with the
// catalogue and with the table of status codes.
func TestDocsHaveEveryError(t *testing.T) {
	t.Parallel()
	before, text, after := section(t, "errors")
	want := "| code | status | what happened | what to do |\n| --- | --- | --- | --- |\n"
	codes := core.Codes()
	slices.Sort(codes)
	for _, code := range codes {
		if strings.HasPrefix(string(code), "platform:") {
			continue // of the platform's API
		}
		reason, remedy := core.Reason(code), core.Remedy(code)
		if remedy == "" {
			reason, remedy, _ = strings.Cut(reason, "; ")
		}
		if remedy == "" {
			t.Errorf("%s says %q, which does not say what to do", code, reason)
		}
		want += fmt.Sprintf("| `%s` | %d | %s | %s |\n", code, statusOf(code), reason, remedy)
	}
	if text == want {
		return
	}
	if !*updateDocs {
		t.Fatalf("the error table of %s differs from the catalogue; run go test ./httpapi -run Docs -update-docs", apiPage)
	}
	if err := os.WriteFile(apiPage, []byte(before+want+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
