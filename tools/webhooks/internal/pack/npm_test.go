package pack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A folder is packed as npm packs it, but for what only a deployment needs.
func TestAsNpmPacks(t *testing.T) {
	t.Parallel()
	const manifest = `{"name":"app","version":"1.0.0"}`
	tests := map[string]struct {
		files map[string]string
		more  string // what npm does not pack
		less  string // what npm packs, and is not packed
	}{
		"a site": {files: map[string]string{
			"package.json": manifest, ".gitignore": "node_modules\ndist\n.env*\n!.env.example\n", "src/index.ts": "", "src/[id].tsx": "", "src/(group)/page.tsx": "", "public/ünï cöde.txt": "",
			".env": "", ".env.local": "", ".env.example": "", "dist/x.js": "", "node_modules/a/package.json": "{}", ".github/workflows/ci.yml": "", ".husky/pre-commit": "",
		}},
		"a workspace": {files: map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","workspaces":["packages/*"]}`, "packages/a/package.json": `{"name":"a","version":"1.0.0"}`, "packages/a/index.js": "",
			"packages/a/.gitignore": "out\n", "packages/a/out/x.js": "", "packages/b/package.json": `{"name":"b","version":"1.0.0"}`, "packages/b/.npmignore": "*.test.js\n", "packages/b/x.test.js": "", "packages/b/x.js": "",
		}, less: "packages/a/out/x.js packages/b/x.test.js"},
		"files with patterns": {files: map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","files":["dist/**/*.{js,mjs}","!dist/**/*.test.js","bin/"]}`, "dist/a.js": "", "dist/b/c.js": "", "dist/b/c.test.js": "", "dist/a.css": "", "dist/a.mjs": "", "bin/x": "", "bin/y/z": "", "src/a.ts": "",
		}},
		"files with a star": {files: map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","files":["*"]}`, "a.js": "", "b/c.js": "", ".hidden": "", ".gitignore": "a.js\n",
		}, less: ".gitignore"},
		"no files": {files: map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","files":[]}`, "a.js": "", "README": "", "index.js": "",
		}},
		"an empty .npmignore": {files: map[string]string{
			"package.json": manifest, ".gitignore": "dist\n", ".npmignore": "", "dist/a.js": "", "a.js": "",
		}},
		"bundled with their own": {files: map[string]string{
			"package.json":                               `{"name":"app","version":"1.0.0","dependencies":{"a":"1","b":"1"},"bundleDependencies":true}`,
			"node_modules/a/package.json":                `{"name":"a","version":"1.0.0","dependencies":{"c":"1"}}`,
			"node_modules/a/node_modules/c/package.json": `{"name":"c","version":"1.0.0"}`, "node_modules/a/node_modules/c/c.js": "",
			"node_modules/b/package.json": `{"name":"b","version":"1.0.0"}`, "node_modules/b/.npmignore": "x\n", "node_modules/b/x": "", "node_modules/b/y": "",
			"node_modules/dev/package.json": `{"name":"dev","version":"1.0.0"}`, "index.js": "",
		}, less: "node_modules/b/.npmignore"},
		"texts": {files: map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","files":["lib"]}`, "lib/a.js": "", "ReadMe.markdown": "", "LICENCE": "", "license-MIT.txt": "", "COPYING": "",
			"CHANGELOG.md": "", "HISTORY": "", "NOTICE": "", "docs/README.md": "",
		}, more: "license-MIT.txt"},
		"escapes": {files: map[string]string{
			"package.json": manifest, ".npmignore": "\\#a\n\\!b\n/d/*\n!/d/keep\n**/e\nf/**/g\n*.{h,i{j,k}}\n*.{m}\n", "#a": "", "!b": "", "x.ij": "", "x.m": "", "x.{m}": "", "x.n": "", "d/x": "", "d/keep": "", "q/e/x": "", "e": "", "f/1/2/g": "", "f/g": "", "x.h": "", "x.i": "", "x.{h,i}": "",
		}},
		"below, by themselves": {files: map[string]string{
			"package.json": manifest, "a/.gitignore": "*\n!keep.js\n", "a/keep.js": "", "a/x.js": "", "b/.npmignore": "/x\n", "b/.gitignore": "y\n", "b/x": "", "b/y": "", "b/c/x": "",
		}},
		"programs": {files: map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","bin":"./cli","main":"./lib/","files":["nothing"]}`, "cli": "#!", "lib/index.js": "", "lib/other.js": "", "x.js": "",
		}, more: "lib/index.js"},
		"what editors leave": {files: map[string]string{
			"package.json": manifest, "a.js": "", "a.js.orig": "", ".a.js.swp": "", "a.js~": "", ".idea/x": "", ".vscode/x": "", ".nyc_output/x": "", "npm-debug.log.1": "", "config.gypi": "", ".lock-wscript": "",
		}},
		"what a build goes by": {files: map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","files":["dist"]}`, "dist/a.js": "", "yarn.lock": "", ".yarnrc.yml": "", ".yarn/releases/yarn.cjs": "", ".yarn/cache/x.zip": "",
			"Procfile": "", ".nvmrc": "", ".node-version": "", "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "", ".npmrc": "", "src/a.ts": "",
		}, more: ".node-version .npmrc .nvmrc .yarn/releases/yarn.cjs .yarnrc.yml Procfile pnpm-lock.yaml pnpm-workspace.yaml yarn.lock"},
	}
	names := slices.Sorted(maps.Keys(tests))
	dirs := make([]string, len(names))
	for i, name := range names {
		dirs[i] = tree(t, tests[name].files)
	}
	for i, npm := range packedByNpm(t, dirs...) {
		test := tests[names[i]]
		want := append(npm, strings.Fields(test.more)...)
		want = slices.DeleteFunc(want, func(path string) bool { return slices.Contains(strings.Fields(test.less), path) })
		slices.Sort(want)
		if got := paths(open(t, dirs[i])); !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", names[i], got, want)
		}
	}
}
