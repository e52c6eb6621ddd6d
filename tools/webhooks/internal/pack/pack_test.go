package pack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/pack"
)

// tree writes files by path; what ends in "/" is a folder, what begins with
// "->" a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		whole := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(whole), 0o755)
		switch target, link := strings.CutPrefix(text, "->"); {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(whole, 0o755)
		case link:
			err = os.Symlink(target, whole)
		default:
			err = os.WriteFile(whole, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string) *pack.Folder {
	t.Helper()
	folder, err := pack.Open(t.Context(), dir, pack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := folder.Close(); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func paths(f *pack.Folder) []string {
	var paths []string
	for _, file := range f.Files {
		paths = append(paths, file.Path)
	}
	return paths
}

func TestWhatIsTaken(t *testing.T) {
	t.Parallel()
	const manifest = `{"name":"app","version":"1.0.0"}`
	tests := map[string]struct {
		files map[string]string
		want  string // paths, with spaces between
		npm   bool   // npm itself packs the same
	}{
		"everything": {map[string]string{
			"package.json": manifest, "server.js": "", "lib/a.js": "", "lib.js": "", ".env.example": "",
		}, ".env.example lib.js lib/a.js package.json server.js", true},
		"never": {map[string]string{
			"package.json": manifest, "node_modules/dep/index.js": "", ".git/config": "",
			"lib/.npmrc": "", ".DS_Store": "", "a.orig": "", ".a.js.swp": "", "._a": "", ".svn/x": "", "CVS/x": "", ".hg/x": "",
			"npm-debug.log": "", "a.js": "",
		}, "a.js package.json", true},
		"bundled": {map[string]string{
			"package.json":                `{"name":"app","version":"1.0.0","dependencies":{"a":"1","@o/b":"1","c":"1"},"bundleDependencies":["a","@o/b"]}`,
			"node_modules/a/package.json": `{"name":"a","version":"1.0.0","dependencies":{"d":"1"}}`, "node_modules/a/lib/x.js": "",
			"node_modules/@o/b/package.json":   `{"name":"@o/b","version":"1.0.0"}`,
			"node_modules/c/package.json":      `{"name":"c","version":"1.0.0"}`,
			"node_modules/d/package.json":      `{"name":"d","version":"1.0.0"}`,
			"node_modules/@o/other/index.json": `{}`, ".gitignore": "node_modules\n",
		}, "node_modules/@o/b/package.json node_modules/a/lib/x.js node_modules/a/package.json node_modules/d/package.json package.json", true},
		"node_modules below, unlike npm": {map[string]string{
			"package.json": manifest, "lib/node_modules/x.js": "", "lib/Node_Modules/x.js": "", "lib/a.js": "",
		}, "lib/a.js package.json", false},
		"the lockfile, unlike npm": {map[string]string{
			"package.json": manifest, "package-lock.json": "{}", ".gitignore": "package-lock.json\npackage.json\n",
		}, "package-lock.json package.json", false},
		".gitignore": {map[string]string{
			"package.json": manifest, ".gitignore": "# comment\r\n*.log\n/build\nsecret/\n!keep.log\n\\#odd\ntail \n", "a.log": "", "keep.log": "",
			"lib/b.log": "", "build/x.js": "", "lib/build/x.js": "", "secret/key": "", "lib/secret": "a file", "#odd": "", "tail": "",
		}, "keep.log lib/build/x.js lib/secret package.json", false},
		".npmignore in its place": {map[string]string{
			"package.json": manifest, ".gitignore": "dist\n", ".npmignore": "src\n", "dist/a.js": "", "src/a.js": "",
		}, "dist/a.js package.json", false},
		"below": {map[string]string{
			"package.json": manifest, ".gitignore": "*.txt\n", "lib/.gitignore": "!note.txt\n/x\n", "note.txt": "", "lib/note.txt": "", "lib/x": "", "x": "", "lib/sub/x": "",
		}, "lib/note.txt lib/sub/x package.json x", false},
		"patterns": {map[string]string{
			"package.json": manifest, ".npmignore": "a/**/z\n**/deep/*.js\n[ab]?.txt\nonly/**\nx[!1].md\n[\n", "a/z": "", "a/b/c/z": "", "b/z": "",
			"deep/1.js": "", "q/deep/2.js": "", "q/deep/sub/3.js": "", "a1.txt": "", "c1.txt": "", "only/a/b": "", "x1.md": "", "x2.md": "",
		}, "b/z c1.txt package.json q/deep/sub/3.js x1.md", true},
		"all but one folder, for npm": {map[string]string{
			"package.json": manifest, ".npmignore": "*\n!lib/**\n", "lib/a/b.js": "", "server.js": "",
		}, "lib/a/b.js package.json", true},
		"all but one folder, for git": {map[string]string{
			"package.json": manifest, ".gitignore": "*\n!lib/**\n", "lib/a/b.js": "", "server.js": "",
		}, "package.json", false},
		"a hidden folder's readme, for git": {map[string]string{
			"package.json": `{"main":"private/main.js"}`, ".gitignore": "private/\n!README.md\n", "private/README.md": "", "private/main.js": "",
		}, "package.json private/main.js", false},
		"files": {map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","main":"start.js","files":["lib","/public/*.html","./one.js","!lib/test"]}`,
			"start.js":     "", "server.js": "", "lib/a.js": "", "lib/sub/b.js": "", "lib/test/c.js": "", "public/a.html": "", "public/b.txt": "", "one.js": "",
			"README.md": "", "readmes/x": "", "LICENSE": "", "lib/.npmignore": "*.tmp\n", "lib/x.tmp": "", ".gitignore": "lib\n",
		}, "LICENSE README.md lib/a.js lib/sub/b.js one.js package.json public/a.html start.js", true},
		"files, all": {map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","files":["."]}`, "lib/a.js": "", ".gitignore": "lib\n",
		}, "lib/a.js package.json", false},
		"what is left out, but needed": {map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","main":"build/main.js","bin":{"x":"build/x"}}`, ".npmignore": "build\n", "build/main.js": "", "build/x": "#!", "build/other.js": "",
		}, "build/main.js build/x package.json", false},
		"links and folders": {map[string]string{
			"package.json": manifest, "out": "->/etc/passwd", "in.js": "->a.js", "a.js": "", "empty/": "", "sub": "->empty",
		}, "a.js package.json", true},
	}
	var asNpm []string // their names
	var dirs []string
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		test := tests[name]
		dir := tree(t, test.files)
		if got := paths(open(t, dir)); !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, test.want)
		}
		if test.npm {
			asNpm, dirs = append(asNpm, name), append(dirs, dir)
		}
	}
	for i, npm := range packedByNpm(t, dirs...) {
		if want := strings.Fields(tests[asNpm[i]].want); !slices.Equal(npm, want) {
			t.Errorf("%s:\nnpm  %q\nwant %q", asNpm[i], npm, want)
		}
	}
}

// packedByNpm returns what npm would pack of each folder, by path.
func packedByNpm(t *testing.T, dirs ...string) [][]string {
	t.Helper()
	args := append([]string{"pack", "--dry-run", "--json", "--ignore-scripts", "--offline", "--cache", t.TempDir()}, dirs...)
	cmd := exec.CommandContext(t.Context(), "npm", args...)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("npm: %v", err)
	}
	var packed []struct{ Files []struct{ Path string } }
	if err := json.Unmarshal(out, &packed); err != nil || len(packed) != len(dirs) {
		t.Fatalf("npm: %v: %s", err, out)
	}
	all := make([][]string, len(dirs))
	for i := range packed {
		for _, file := range packed[i].Files {
			all[i] = append(all[i], file.Path)
		}
		slices.Sort(all[i])
	}
	return all
}

func write(t *testing.T, f *pack.Folder) []byte {
	t.Helper()
	var out bytes.Buffer
	var read int64
	if err := f.Write(t.Context(), &out, func(n int64) { read += n }); err != nil {
		t.Fatal(err)
	}
	if read != f.Size {
		t.Errorf("%d bytes reported, of %d", read, f.Size)
	}
	return out.Bytes()
}

func TestArchive(t *testing.T) {
	t.Parallel()
	files := map[string]string{"package.json": `{"name":"app"}`, "run.sh": "#!/bin/sh", "lib/" + strings.Repeat("long/", 30) + "ünï.js": "x"}
	dir := tree(t, files)
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	packed := write(t, open(t, dir))

	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(zip)
	modes := map[string]int64{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		name := strings.TrimPrefix(header.Name, "package/")
		if err != nil || string(text) != files[name] || header.Name == name || header.Uid != 0 || header.Uname != "" || header.ModTime.Year() != 1985 {
			t.Errorf("got %+v %q, %v", header, text, err)
		}
		modes[name] = header.Mode
	}
	if len(modes) != len(files) || modes["run.sh"] != 0o755 || modes["package.json"] != 0o644 {
		t.Errorf("got modes %v", modes)
	}

	// The same files elsewhere, at another time, make the same bytes.
	other := tree(t, files)
	if err := os.Chmod(filepath.Join(other, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(other, "run.sh"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if again := write(t, open(t, other)); !bytes.Equal(packed, again) {
		t.Error("the same files make other bytes")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const manifest = `{"name":"app"}`
	tests := map[string]struct {
		files  map[string]string
		limits pack.Limits
		says   string
	}{
		"no package.json":   {map[string]string{"server.js": ""}, pack.Limits{}, "there is no package.json"},
		"a link to one":     {map[string]string{"package.json": "->p", "p": manifest}, pack.Limits{}, "not a regular file"},
		"not JSON":          {map[string]string{"package.json": "{"}, pack.Limits{}, "not a JSON object"},
		"null":              {map[string]string{"package.json": "null"}, pack.Limits{}, "not a JSON object"},
		"huge package.json": {map[string]string{"package.json": strings.Repeat(" ", 1<<20) + "{}"}, pack.Limits{}, "larger than 1048576 bytes"},
		"too many files":    {map[string]string{"package.json": manifest, "a": "", "b": ""}, pack.Limits{Entries: 2}, "more than 2 files"},
		"too many folders":  {map[string]string{"package.json": manifest, "a/b/c": ""}, pack.Limits{Entries: 3}, "more than 3 files"},
		"too much":          {map[string]string{"package.json": manifest, "a": strings.Repeat("x", 3<<20)}, pack.Limits{Bytes: 2 << 20}, "larger than 2 MiB"},
		"too deep":          {map[string]string{"package.json": manifest, strings.Repeat("d/", 64) + "x": ""}, pack.Limits{}, "folders deep"},
		"backslash":         {map[string]string{"package.json": manifest, `a\b`: ""}, pack.Limits{}, "backslash"},
		"not UTF-8":         {map[string]string{"package.json": manifest, "a\xff": ""}, pack.Limits{}, "not UTF-8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pack.Open(t.Context(), tree(t, test.files), test.limits)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
	if _, err := pack.Open(t.Context(), filepath.Join(t.TempDir(), "none"), pack.Limits{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestLeftOutIsTold(t *testing.T) {
	t.Parallel()
	f := open(t, tree(t, map[string]string{"package.json": "{}", "lib/.npmrc": "", "link": "->package.json", "node_modules/x": ""}))
	if !slices.Equal(f.LeftOut, []string{"lib/.npmrc", "link"}) || len(f.Missing) != 0 || len(f.Cleaned) != 0 {
		t.Errorf("got %q, %q, %q", f.LeftOut, f.Missing, f.Cleaned)
	}
}

// What the start command names and the ignore files leave out.
func TestMissingIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		".gitignore":   {map[string]string{"package.json": `{"scripts":{"start":"NODE_ENV=production node ./dist/index.js --x"}}`, ".gitignore": "dist\n", "dist/index.js": ""}, []string{"dist/index.js"}},
		"files":        {map[string]string{"package.json": `{"files":["lib"],"scripts":{"start":"node lib/a && node 'server'"}}`, "lib/a.js": "", "server.js": ""}, []string{"server.js"}},
		"packed":       {map[string]string{"package.json": `{"scripts":{"start":"node dist"}}`, "dist/index.js": ""}, nil},
		"built there":  {map[string]string{"package.json": `{"scripts":{"start":"node dist/index.js","build":"tsc"}}`, ".gitignore": "dist\n", "dist/index.js": ""}, nil},
		"not here":     {map[string]string{"package.json": `{"scripts":{"start":"next start"}}`}, nil},
		"out of here":  {map[string]string{"package.json": `{"scripts":{"start":"node ../x.js /etc/passwd"}}`}, nil},
		"in a package": {map[string]string{"package.json": `{"scripts":{"start":"node node_modules/x/bin.js"}}`, "node_modules/x/bin.js": ""}, []string{"node_modules/x/bin.js"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := open(t, tree(t, test.files)); !slices.Equal(f.Missing, test.want) {
				t.Errorf("got %q, want %q", f.Missing, test.want)
			}
		})
	}
}

// npm's settings are packed, without any credentials.
func TestNpmrcWithoutCredentials(t *testing.T) {
	t.Parallel()
	const settings = "legacy-peer-deps=true\n@acme:registry=https://npm.acme.example/\n//npm.acme.example/:_authToken=${NPM_TOKEN}\n"
	const secrets = "//npm.acme.example/:_authToken=canary\n_auth = Y2FuYXJ5\n//x/:_password=\"canary\"\n//x/:username=canary\nregistry=https://me:canary@r.example/\n//x/:_authToken=canary${A}\nkey=canary\n"
	f := open(t, tree(t, map[string]string{"package.json": "{}", ".npmrc": settings + secrets}))
	if !slices.Equal(f.Cleaned, []string{".npmrc"}) {
		t.Errorf("it says that something is left out of %q", f.Cleaned)
	}
	if got := unpack(t, f)[".npmrc"]; got != settings {
		t.Errorf("got %q, want %q", got, settings)
	}
	f = open(t, tree(t, map[string]string{"package.json": "{}", ".npmrc": settings}))
	if len(f.Cleaned) != 0 || unpack(t, f)[".npmrc"] != settings {
		t.Error("settings without credentials are changed")
	}
}

// The same for those of yarn.
func TestYarnrcWithoutCredentials(t *testing.T) {
	t.Parallel()
	const settings = "nodeLinker: node-modules\nnpmScopes:\n  acme:\n    npmRegistryServer: \"https://npm.acme.example\"\n    npmAuthToken: \"${NPM_TOKEN}\"\n"
	f := open(t, tree(t, map[string]string{"package.json": "{}", ".yarnrc.yml": settings + "npmAuthToken: canary\n    npmAuthIdent: \"me:canary\"\n"}))
	if got := unpack(t, f)[".yarnrc.yml"]; got != settings || !slices.Equal(f.Cleaned, []string{".yarnrc.yml"}) {
		t.Errorf("got %q, cleaned %q", got, f.Cleaned)
	}
}

// unpack returns the content of each file in the archive.
func unpack(t *testing.T, f *pack.Folder) map[string]string {
	t.Helper()
	var packed bytes.Buffer
	if err := f.Write(t.Context(), &packed, nil); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for in := tar.NewReader(zip); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(h.Name, "package/")] = string(text)
	}
}

// What changes between the look and the packing must not make a broken archive.
func TestFilesThatChange(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(name string) error
		says   string // "" if the archive is good
	}{
		"shorter": {func(name string) error { return os.Truncate(name, 1) }, "shorter"},
		"longer":  {func(name string) error { return os.WriteFile(name, []byte("0123456789 and more"), 0o644) }, ""},
		"gone":    {os.Remove, "no such file"},
		"a link": {func(name string) error {
			return errors.Join(os.Remove(name), os.Symlink("/etc/passwd", name))
		}, "not a regular file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, map[string]string{"package.json": "{}", "a.txt": "0123456789"})
			f := open(t, dir)
			if err := test.change(filepath.Join(dir, "a.txt")); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err := f.Write(t.Context(), &out, nil)
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestWriteEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := open(t, tree(t, map[string]string{"package.json": "{}"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Write(ctx, io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := pack.Open(ctx, t.TempDir(), pack.Limits{}); err == nil {
		t.Error("a folder is opened")
	}
}
