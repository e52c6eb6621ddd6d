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
	for name, test := range map[string]struct {
		files files
		built string // in the build's output
		page  string // in the app's answer
	}{
		"static": {
			files{
				"package.json": `{"name": "astro-static", "type": "module", "engines": {"node": ">=22.12"}, "scripts": {"build": "astro build"},
					"dependencies": {"astro": "^5.0.0"}}`,
			},
			"a static site, as there is dist/index.html", "<h1>Built on v",
		},
		"server": {
			files{
				"package.json": `{"name": "astro-server", "type": "module", "engines": {"node": ">=22.12"}, "scripts": {"build": "astro build"},
					"dependencies": {"astro": "^5.0.0", "@astrojs/node": "^9.0.0"}}`,
				"astro.config.mjs": `import { defineConfig } from 'astro/config'
					import node from '@astrojs/node'
					export default defineConfig({ output: 'server', adapter: node({ mode: 'standalone' }) })`,
			},
			"started by dist/server/entry.mjs", "<h1>Built on v",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := test.files
			f["src/pages/index.astro"] = "---\nconst version = process.version\n---\n<html lang=\"en\"><body><h1>Built on {version}</h1></body></html>\n"
			a := create(t, shared, "astro-"+name)
			id, output, failure := a.upload(f)
			if failure != "" || !strings.Contains(output, test.built) {
				t.Fatalf("%q is missing in the build: %s\n%s", test.built, failure, output)
			}
			if got := a.start(id); got.status != http.StatusOK {
				t.Fatalf("the start: %d %s\n%s", got.status, got.body, output)
			}
			if got := a.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, test.page) || strings.Contains(got.body, "v20.") {
				t.Errorf("it answers %d %s", got.status, got.body)
			}
		})
	}
}
