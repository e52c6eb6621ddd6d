package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	sampleWork = `go 1.26.8

use (
	./core
	./providers
	./tests
)

// These folders have the next version.
replace (
	github.com/nodejitsu/webhooks/core v0.1.0 => ./core
	github.com/nodejitsu/webhooks/providers v0.1.0 => ./providers
)
`
	sampleProviders = `module github.com/nodejitsu/webhooks/providers

go 1.26.8

require github.com/nodejitsu/webhooks/core v0.1.0
`
)

// sample is a small workspace that can be released.
func sample() map[string]string {
	return map[string]string{
		"CHANGELOG.md":      "# Changelog\n\n## [0.1.0] - 2026-11-23\n\n### Added\n\n- A greeting.\n\n## [0.0.9] - 2026-01-01\n\n- Another.\n",
		"go.work":           sampleWork,
		"core/go.mod":       "module github.com/nodejitsu/webhooks/core\n\ngo 1.26.8\n",
		"core/api.txt":      "core.Greet func() (string)\n",
		"core/core.go":      "package core\n\n// Greet greets.\nfunc Greet() string { return greeting }\n\nconst greeting = \"hello\"\n",
		"providers/go.mod":  sampleProviders,
		"providers/api.txt": "",
		"tests/go.mod":      strings.Replace(sampleProviders, "webhooks/providers", "webhooks/tests", 1),
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := release(t, "-C", write(t, sample()), "check")
	if code != 0 || stdout != "v0.1.0 can be released: 3 modules checked\n" || stderr != "" {
		t.Fatalf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// Each case breaks one rule; the message has the file and the remedy.
func TestCheckFindsEachBreach(t *testing.T) {
	t.Parallel()
	const yaml = "require go.yaml.in/yaml/v3 v3.0."
	for name, test := range map[string]struct{ file, old, new, want string }{
		"replace missing in go.work": {"go.work", "\tgithub.com/nodejitsu/webhooks/core v0.1.0 => ./core\n", "", "go.work: the replacements must be these:"},
		"replace of another version": {"go.work", "core v0.1.0", "core v0.2.0", "go.work: the replacements must be these:"},
		"replace without a version":  {"go.work", "core v0.1.0", "core", "go.work: the replacements must be these:"},
		"replace in go.mod":          {"providers/go.mod", "\nrequire", "\nreplace github.com/nodejitsu/webhooks/core => ../core\n\nrequire", "providers/go.mod: remove the replacement of github.com/nodejitsu/webhooks/core"},
		"module path":                {"core/go.mod", "webhooks/core", "webhooks/cores", "core/go.mod: the module must be called github.com/nodejitsu/webhooks/core"},
		"go line":                    {"core/go.mod", "go 1.26.8", "go 1.26.0", "core/go.mod: the go line must say go 1.26.8"},
		"no go line":                 {"core/go.mod", "\n\ngo 1.26.8", "", "core/go.mod: the go line must say go 1.26.8"},
		"toolchain line":             {"core/go.mod", "1.26.8", "1.26.8\n\ntoolchain go1.26.9", "core/go.mod: remove the toolchain line"},
		"sibling at another version": {"tests/go.mod", "core v0.1.0", "core v0.1.1", "tests/go.mod: requires github.com/nodejitsu/webhooks/core@v0.1.1, others v0.1.0: run release set VERSION"},
		"unknown sibling":            {"tests/go.mod", "core v0.1.0", "cores v0.1.0", "tests/go.mod: requires github.com/nodejitsu/webhooks/cores, which is not released"},
		"tests required":             {"providers/go.mod", "webhooks/core v0", "webhooks/tests v0", "providers/go.mod: requires github.com/nodejitsu/webhooks/tests, which is not released"},
		"third-party versions":       {"core/go.mod", "1.26.8\n", "1.26.8\n\n" + yaml + "4\n", "tests/go.mod: requires go.yaml.in/yaml/v3 v3.0.5, but core requires v3.0.4: run ./tools/alone.sh"},
		"no section":                 {"CHANGELOG.md", "[0.1.0]", "[0.1.1]", `in the section "## [0.1.0] - Unreleased"`},
		"empty section":              {"CHANGELOG.md", "- A greeting.\n", "", `in the section "## [0.1.0] - Unreleased"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := sample()
			if name == "third-party versions" {
				files["tests/go.mod"] += "\n" + yaml + "5\n"
			}
			if !strings.Contains(files[test.file], test.old) {
				t.Fatalf("%s has no %q", test.file, test.old)
			}
			files[test.file] = strings.Replace(files[test.file], test.old, test.new, 1)
			code, stdout, stderr := release(t, "-C", write(t, files), "check")
			if code != 1 || stdout != "" || !strings.Contains(stderr, "v0.1.0 can not be released:\n") || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, stdout, stderr, test.want)
			}
		})
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	root := write(t, sample())
	code, stdout, stderr := release(t, "-C", root, "set", "v0.2.0-rc.1")
	if code != 0 || !strings.Contains(stdout, "## [0.2.0-rc.1] - Unreleased") {
		t.Fatalf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	for name, text := range sample() {
		want := text
		if name != "CHANGELOG.md" {
			want = strings.ReplaceAll(text, "v0.1.0", "v0.2.0-rc.1")
		}
		if got := read(t, filepath.Join(root, name)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	root := write(t, sample())
	for name, test := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"unknown command":  {[]string{"publish"}, 2, "unknown command or wrong number of arguments: [publish]"},
		"unknown flag":     {[]string{"-force", "check"}, 2, "-force"},
		"too many":         {[]string{"check", "v1"}, 2, "wrong number of arguments"},
		"no version":       {[]string{"set"}, 2, "wrong number of arguments"},
		"a version's form": {[]string{"set", "0.2.0"}, 2, `invalid version "0.2.0"`},
		"a partial one":    {[]string{"set", "v0.2"}, 2, `invalid version "v0.2"`},
		"another major":    {[]string{"set", "v2.0.0"}, 2, "v2 needs other module paths"},
		"no git":           {[]string{"tag"}, 1, "git status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := release(t, append([]string{"-C", root}, test.args...)...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %d, %q", code, stdout, stderr, test.code, test.stderr)
			}
		})
	}
	for _, args := range [][]string{nil, {"--help"}} {
		if code, stdout, _ := release(t, args...); code != 0 || !strings.Contains(stdout, "go run ./tools/release check") {
			t.Errorf("%v: exit code %d, stdout %q", args, code, stdout)
		}
	}
	if code, _, stderr := release(t, "-C", t.TempDir(), "check"); code != 1 || !strings.Contains(stderr, "go.work") {
		t.Errorf("outside a workspace: exit code %d, stderr %q", code, stderr)
	}
}

func TestTag(t *testing.T) {
	t.Parallel()
	files := sample()
	files["CHANGELOG.md"] = strings.Replace(files["CHANGELOG.md"], "2026-11-23", "Unreleased", 1)
	root := write(t, files)
	runIn(t, root, nil, "git", "init", "--quiet", "--initial-branch=main")
	fails := func(want string) {
		t.Helper()
		if code, _, stderr := release(t, "-C", root, "tag"); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d, stderr %q, want %q", code, stderr, want)
		}
	}
	fails("write the day of the release")
	if err := os.WriteFile(filepath.Join(root, "CHANGELOG.md"), []byte(sample()["CHANGELOG.md"]), 0o600); err != nil {
		t.Fatal(err)
	}
	fails("the work tree has changes")
	runIn(t, root, nil, "git", "add", "--all")
	runIn(t, root, nil, "git", "commit", "--quiet", "--message=Everything")
	code, stdout, stderr := release(t, "-C", root, "tag")
	if code != 0 || !strings.Contains(stdout, "git push origin core/v0.1.0 providers/v0.1.0\n") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if got := strings.Fields(runIn(t, root, nil, "git", "tag", "--points-at", "HEAD")); !slices.Equal(got, []string{"core/v0.1.0", "providers/v0.1.0"}) {
		t.Errorf("got tags %v", got)
	}
	// All tags or none: one of the two exists.
	runIn(t, root, nil, "git", "tag", "--delete", "core/v0.1.0")
	fails("tag v0.1.0: git update-ref")
	if got := runIn(t, root, nil, "git", "tag"); got != "providers/v0.1.0" {
		t.Errorf("got tags %s", got)
	}
}

// release runs a command line and returns its exit code and output.
func release(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, failure bytes.Buffer
	code = run(t.Context(), args, &out, &failure)
	return code, out.String(), failure.String()
}

// write writes files to a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runIn runs a program in dir and returns its output, trimmed.
func runIn(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{
		"GIT_AUTHOR_NAME=Release Test", "GIT_AUTHOR_EMAIL=release@example.org",
		"GIT_COMMITTER_NAME=Release Test", "GIT_COMMITTER_EMAIL=release@example.org",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
	}, env)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in %s: %s %s: %v\n%s", dir, name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
