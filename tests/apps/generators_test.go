package apps

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// generate returns the files that a generator from npm makes, as a person has them
// who follows a framework's first page. args are those of the generator, with DIR
// for the folder.
func generate(t *testing.T, generator string, args ...string) files {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	for i, arg := range args {
		if arg == "DIR" {
			args[i] = filepath.Base(dir)
		}
	}
	cmd := exec.CommandContext(t.Context(), "npm", append([]string{"exec", "--yes", "--prefer-offline", "--", generator}, args...)...) //nolint:gosec // of this test
	cmd.Dir = filepath.Dir(dir)
	cmd.Env = append(os.Environ(), "CI=1", "npm_config_update_notifier=false")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", generator, err, out.String())
	}
	made := files{}
	tree := os.DirFS(dir)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			if entry != nil && slices.Contains([]string{".git", "node_modules"}, entry.Name()) {
				return fs.SkipDir
			}
			return err
		}
		text, err := fs.ReadFile(tree, path)
		made[path] = string(text)
		return err
	})
	if err != nil || made["package.json"] == "" {
		t.Fatalf("%s made %d files: %v\n%s", generator, len(made), err, out.String())
	}
	return made
}

// Apps serve as the generators of frameworks make them.
func TestGenerators(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		generator string
		args      []string
		built     string // in the build's output
		page      string // in the app's answer
	}{
		"express": {"express-generator@4.16.1", []string{"--no-view", "DIR"}, "started by scripts.start", "<h1>Express</h1>"},
		"fastify": {"fastify-cli@8.0.2", []string{"generate", "DIR"}, "started by scripts.start", `{"root":true}`},
		"vite": {
			"create-vite@9.3.0",
			[]string{"DIR", "--template", "vanilla-ts", "--no-interactive"},
			"a static site, as there is dist/index.html", `<script type="module"`,
		},
		"vite-ssr": {
			"create-vite-extra@5.0.3",
			[]string{"DIR", "--template", "ssr-vanilla"},
			"started by server.js", `<div id="app">`,
		},
		"vite-ssr-svelte": {
			"create-vite-extra@5.0.3",
			[]string{"DIR", "--template", "ssr-svelte"},
			"dist/server/entry-server.js, which the build made, imports clsx", "<h1>Get started</h1>",
		},
		"svelte": {
			"sv@0.17.1",
			[]string{"create", "DIR", "--template", "minimal", "--types", "ts", "--no-add-ons", "--no-install"},
			"started by build/index.js", "Welcome to SvelteKit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := generate(t, test.generator, test.args...)
			a := create(t, shared, "made-"+name)
			id, output, failure := a.upload(f)
			if failure != "" || !strings.Contains(output, test.built) {
				t.Fatalf("%q is missing in the build: %s\n%s", test.built, failure, output)
			}
			if got := a.start(id); got.status != http.StatusOK {
				t.Fatalf("the start: %d %s\n%s", got.status, got.body, output)
			}
			if got := a.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, test.page) {
				t.Errorf("it answers %d %s", got.status, got.body)
			}
		})
	}
}
