package config_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

var updateDocs = flag.Bool("update-docs", false, "write the table of docs/settings.md")

// TestDocsHaveEverySetting compares the table of the page with the settings.
func TestDocsHaveEverySetting(t *testing.T) {
	t.Parallel()
	const page, begin, end = "../../../../docs/settings.md", "<!-- settings -->\n", "<!-- /settings -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	table, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no table", page)
	}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.SortFlags = false
	config.Declare(set)
	var want strings.Builder
	want.WriteString("| setting | default | what it is |\n| --- | --- | --- |\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Name == "config" {
			return // which names the file, and is not in it
		}
		value := strings.Trim(f.DefValue, "[]")
		switch {
		case f.Name == "data":
			value = "`/var/lib/webhooks` for root, else `~/.local/state/webhooks`"
		case value != "":
			value = "`" + value + "`"
		}
		_, _ = fmt.Fprintf(&want, "| `%s` | %s | %s |\n", f.Name, value, strings.ReplaceAll(f.Usage, "|", `\|`))
	})
	if table == want.String() {
		return
	}
	if !*updateDocs {
		t.Fatalf("the table of %s differs from the settings; run go test ./tools/webhooks/internal/config -run Docs -update-docs, then go test ./httpapi/docs -update", page)
	}
	if err := os.WriteFile(page, []byte(before+begin+want.String()+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
