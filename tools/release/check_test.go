package main

import (
	"strings"
	"testing"
)

func TestCheckAcceptsTheSample(t *testing.T) {
	t.Parallel()
	root := write(t, sample())
	code, stdout, stderr := release(t, "check", "-C", root+"/core")
	if code != exitOK || stdout != "v0.1.0 could be released: 7 modules checked\n" || stderr != "" {
		t.Fatalf("got exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// Each case breaks one rule; the message must name the file and the remedy.
func TestCheckFindsEachBreach(t *testing.T) {
	t.Parallel()
	const yaml = "\nrequire go.yaml.in/yaml/v3 v3.0."
	tests := map[string]struct {
		file, old, new string
		want           string
	}{
		"module not in go.work":        {"go.work", "\t./httpapi\n", "", "go.work: does not use ./httpapi: add it"},
		"stranger in go.work":          {"go.work", "\t./core\n", "\t./core\n\t./extra\n", "go.work: uses ./extra, which is none of the modules"},
		"replace in go.work":           {"go.work", "use (", "replace " + prefix + "core v0.1.0 => ./core\n\nuse (", "go.work: replaces " + prefix + "core"},
		"go line differs":              {"deployer/go.mod", "go 1.26.8", "go 1.26.0", "deployer/go.mod: says go 1.26.0: it must say go 1.26.8"},
		"no go line":                   {"deployer/go.mod", "go 1.26.8", "", "deployer/go.mod: has no go line"},
		"toolchain line":               {"core/go.mod", "go 1.26.8", "go 1.26.8\n\ntoolchain go1.26.9", "core/go.mod: has a toolchain line"},
		"toolchain line in go.work":    {"go.work", "go 1.26.8", "go 1.26.8\n\ntoolchain go1.26.9", "go.work: has a toolchain line"},
		"sibling at another version":   {"tools/go.mod", sibling("core", "v0.1.0"), sibling("core", "v0.1.1"), "core@v0.1.1, others v0.1.0: run release set VERSION"},
		"sibling that is not there":    {"tools/go.mod", "core v0.1.0", "cores v0.1.0", "tools/go.mod: requires " + prefix + "cores, which is none of the modules"},
		"tests required":               {"tools/go.mod", sibling("core", "v0.1.0"), sibling("tests", "v0.1.0"), "tools/go.mod: requires " + prefix + "tests, which is never released"},
		"modules in a circle":          {"core/go.mod", "1.26.8\n", "1.26.8\n\nrequire " + prefix + "adapters v0.1.0\n", "in a circle: adapters → core → adapters"},
		"replace missing":              {"adapters/go.mod", "replace " + prefix + "core => ../core\n", "", "adapters/go.mod: needs replace " + prefix + "core => ../core"},
		"indirect replace missing":     {"tools/go.mod", "\t" + prefix + "core => ../core\n", "", "tools/go.mod: needs replace " + prefix + "core => ../core"},
		"replace by the wrong folder":  {"adapters/go.mod", "=> ../core", "=> ../httpapi", "adapters/go.mod: must replace " + prefix + "core => ../core"},
		"replace of one version":       {"adapters/go.mod", prefix + "core =>", prefix + "core v0.1.0 =>", "adapters/go.mod: must replace"},
		"replace without need":         {"adapters/go.mod", "\nreplace ", "\nreplace " + prefix + "httpapi => ../httpapi\n\nreplace ", "adapters/go.mod: replaces " + prefix + "httpapi, which it does not require"},
		"replace of a third party":     {"adapters/go.mod", "\nreplace ", "\nreplace example.org/x => ../x\n\nreplace ", "adapters/go.mod: replaces example.org/x: whoever imports"},
		"third-party versions":         {"adapters/go.mod", "\nreplace", yaml + "5\n\nreplace", "go.yaml.in/yaml/v3 has several versions: v3.0.4 in providers; v3.0.5 in adapters: run release sync"},
		"third-party in one module":    {"adapters/go.mod", "\nreplace", "\nrequire example.org/only v1.0.0\n\nreplace", "yaml/v3 has several"},
		"not tidy":                     {"adapters/go.mod", "core v0.1.0\n", "core v0.1.0 // indirect\n", "adapters: is not tidy: run GOWORK=off go mod tidy there"},
		"no section in the changelog":  {"CHANGELOG.md", "[0.1.0]", "[0.0.9]", "CHANGELOG.md: has no section \"## [0.1.0] - Unreleased\": write it"},
		"section says nothing":         {"CHANGELOG.md", "- A greeting.\n", "", "CHANGELOG.md: the section of 0.1.0 lists nothing"},
		"section of no day":            {"CHANGELOG.md", "2026-11-23", "soon", "must end in a day"},
		"an empty section before full": {"CHANGELOG.md", "\n- A greeting.\n", "\n## [0.0.9] - 2026-01-01\n\n- Another.\n", "the section of 0.1.0 lists nothing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := edited(t, test.file, test.old, test.new)
			if strings.HasPrefix(name, "third-party") {
				files["providers/go.mod"] += yaml + "4\n"
			}
			if name == "third-party in one module" {
				files["tests/go.mod"] += yaml + "6\n"
			}
			code, stdout, stderr := release(t, "check", "-C", write(t, files))
			if code != exitFailed || stdout != "" {
				t.Errorf("got exit code %d and stdout %q, want %d and nothing", code, stdout, exitFailed)
			}
			expect(t, "stderr", stderr, "cannot be released", test.want)
			if name == "third-party in one module" && strings.Contains(stderr, "example.org/only") {
				t.Errorf("a module that only one requires was reported:\n%s", stderr)
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	root := write(t, sample())
	tests := map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"nothing":           {nil, exitUsage, "a command is missing"},
		"unknown command":   {[]string{"publish"}, exitUsage, `unknown command "publish"`},
		"unknown flag":      {[]string{"check", "--force"}, exitUsage, "unknown flag: --force"},
		"too many words":    {[]string{"check", "v1"}, exitUsage, `unknown command "v1" for "release check"`},
		"set without":       {[]string{"set"}, exitUsage, "accepts 1 arg(s), received 0"},
		"set no version":    {[]string{"set", "0.2.0", "-C", root}, exitUsage, `"0.2.0" is not a version`},
		"set half a one":    {[]string{"set", "v0.2", "-C", root}, exitUsage, `"v0.2" is not a version`},
		"set a major":       {[]string{"set", "v2.0.0", "-C", root}, exitUsage, "should be v0 or v1, not v2"},
		"outside workspace": {[]string{"check", "-C", t.TempDir()}, exitFailed, "no go.work in "},
		"tag without git":   {[]string{"tag", "-C", root}, exitFailed, "git rev-parse"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := release(t, test.args...)
			if code != test.code {
				t.Errorf("got exit code %d, want %d", code, test.code)
			}
			expect(t, "stderr", stderr, "release: ", test.stderr)
		})
	}
	for _, command := range []string{"", "check", "sync", "set", "tag"} {
		args := strings.Fields(command + " --help")
		code, stdout, stderr := release(t, args...)
		if code != exitOK || stderr != "" {
			t.Errorf("%v: got exit code %d, stderr %q", args, code, stderr)
		}
		expect(t, "help", stdout, "Examples:\n  go run ./tools/release "+command)
	}
}
