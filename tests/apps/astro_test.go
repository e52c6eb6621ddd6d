package apps

import (
	"net/http"
	"strings"
	"testing"
)

// Astro builds a static site by default, and a server with its adapter for Node.js.
// The app asks for a newer Node.js than Debian's, which the platform gets.
func TestAstro(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "astro")
	for _, test := range []struct {
		name  string
		files files
		built []string // in the build's output
	}{
		{"static", nil, []string{"a static site, as there is dist/index.html"}},
		{
			"server",
			files{
				"astro.config.mjs": `import { defineConfig } from 'astro/config'
					import node from '@astrojs/node'
					export default defineConfig({ output: 'server', adapter: node({ mode: 'standalone' }) })`,
			},
			[]string{"Reusing the dependencies", "started by dist/server/entry.mjs"},
		},
	} {
		id, output, failure := a.upload(example(t, "astro", test.files))
		for _, want := range test.built {
			if failure != "" || !strings.Contains(output, want) {
				t.Fatalf("%s: %q is missing in the build: %s\n%s", test.name, want, failure, output)
			}
		}
		if got := a.start(id); got.status != http.StatusOK {
			t.Fatalf("%s: the start: %d %s\n%s", test.name, got.status, got.body, output)
		}
		if got := a.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, "<h1>Built on v") || strings.Contains(got.body, "v20.") {
			t.Errorf("%s answers %d %s", test.name, got.status, got.body)
		}
	}
}
