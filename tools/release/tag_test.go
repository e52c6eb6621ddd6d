package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func tagNames(version string) []string {
	return []string{"adapters/" + version, "core/" + version, "deployer/" + version, "httpapi/" + version, "providers/" + version, "tools/" + version}
}

// makeRelease tags the repository at root and checks that nothing else of it
// changed. It returns the release commit.
func makeRelease(t *testing.T, root, version string) string {
	t.Helper()
	state := func() string {
		return command(t, root, "git", "rev-parse", "HEAD", "main") + command(t, root, "git", "status", "--porcelain=v2", "--branch", "--ignored")
	}
	files, before := snapshot(t, root), state()
	index, err := os.ReadFile(filepath.Join(root, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}

	code, stdout, stderr := release(t, "tag", "-C", root)
	if code != exitOK {
		t.Fatalf("got exit code %d: %s", code, stderr)
	}
	expect(t, "stdout", stdout, "git push origin "+strings.Join(tagNames(version), " "))

	if got := changed(files, snapshot(t, root)); len(got) != 0 {
		t.Errorf("the work tree changed: %v", got)
	}
	if after, err := os.ReadFile(filepath.Join(root, ".git", "index")); err != nil || string(after) != string(index) {
		t.Errorf("the index changed (%v)", err)
	}
	if got := state(); got != before {
		t.Errorf("the branch or its status changed:\n%s\nwas\n%s", got, before)
	}
	if got, want := strings.Fields(command(t, root, "git", "tag", "--list", "*/"+version)), tagNames(version); !slices.Equal(got, want) {
		t.Errorf("got tags %v, want %v", got, want)
	}
	commits := make(map[string]bool)
	for _, name := range tagNames(version) {
		commits[command(t, root, "git", "rev-parse", name+"^{commit}")] = true
	}
	if len(commits) != 1 {
		t.Fatalf("the tags point to %d commits, want one", len(commits))
	}
	made := slices.Collect(maps.Keys(commits))[0]
	if got, want := command(t, root, "git", "rev-parse", made+"^"), command(t, root, "git", "rev-parse", "HEAD"); got != want {
		t.Errorf("the release commit is on top of %s, want %s", got, want)
	}
	return made
}

func TestTag(t *testing.T) {
	t.Parallel()
	root := write(t, sample())
	commit(t, root)
	// What is not committed must neither be released nor be lost.
	for name, text := range map[string]string{"core/core.go": "package broken", "untracked.txt": "mine"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(t, root, "git", "add", "core/core.go")

	made := makeRelease(t, root, "v0.1.0")

	want := []string{
		"adapters/go.mod", "adapters/go.sum", "deployer/go.mod", "deployer/go.sum", "go.work", "httpapi/go.mod", "httpapi/go.sum",
		"providers/go.mod", "providers/go.sum", "tools/go.mod", "tools/go.sum",
	}
	if got := strings.Fields(command(t, root, "git", "diff", "--name-only", "HEAD", made)); !slices.Equal(got, want) {
		t.Errorf("the release commit changes %v, want %v", got, want)
	}
	for _, name := range want {
		text := command(t, root, "git", "show", made+":"+name)
		switch {
		case name == "go.work":
			expect(t, name, text, prefix+"core v0.1.0 => ./core", prefix+"tools v0.1.0 => ./tools")
			if strings.Contains(text, "=> ./tests") {
				t.Errorf("go.work replaces tests, which has no version:\n%s", text)
			}
		case strings.HasSuffix(name, "go.mod") && strings.Contains(text, "replace"):
			t.Errorf("%s still replaces something:\n%s", name, text)
		}
	}
	if text := command(t, root, "git", "show", made+":tests/go.mod"); !strings.Contains(text, "=> ../core") {
		t.Errorf("tests/go.mod lost its replace:\n%s", text)
	}

	t.Run("is used from outside", func(t *testing.T) {
		t.Parallel()
		proxy := publish(t, root, "v0.1.0")
		env := outside(t, proxy, "off")
		useProviders(t, env, "v0.1.0", `package main

import (
	"fmt"

	"github.com/nodejitsu/webhooks/providers/github"
)

func main() { fmt.Println(github.Name()) }
`, "hello github")
		program := install(t, env, "v0.1.0")
		if got := command(t, root, program); got != "hello github" {
			t.Errorf("the installed program printed %q", got)
		}
		buildAtTag(t, root, env, "v0.1.0")
	})
	t.Run("needs no network at the tag", func(t *testing.T) {
		t.Parallel()
		clone := cloneAt(t, root, "tools/v0.1.0")
		commandEnv(t, clone, outside(t, "", "off"), "go", "vet", "work")
	})
	t.Run("is refused a second time", func(t *testing.T) {
		t.Parallel()
		code, _, stderr := release(t, "tag", "-C", root)
		if code != exitFailed {
			t.Errorf("got exit code %d, want %d", code, exitFailed)
		}
		expect(t, "stderr", stderr, "v0.1.0 is tagged already", "core/v0.1.0", "release set")
	})
}

func TestTagRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file, old, new string
		want           string
	}{
		"a breach":       {"adapters/go.mod", "go 1.26.8", "go 1.26.0", "cannot be released:\nadapters/go.mod: says go 1.26.0"},
		"no day":         {"CHANGELOG.md", "2026-11-23", "Unreleased", "the section of 0.1.0 says Unreleased"},
		"a broken build": {"core/core.go", "\"hello\"", "hello", "go build work"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := write(t, edited(t, test.file, test.old, test.new))
			commit(t, root)
			code, stdout, stderr := release(t, "tag", "-C", root)
			if code != exitFailed || stdout != "" {
				t.Errorf("got exit code %d and stdout %q, want %d and nothing", code, stdout, exitFailed)
			}
			expect(t, "stderr", stderr, test.want)
			if tags := command(t, root, "git", "tag", "--list"); tags != "" {
				t.Errorf("tags were made: %s", tags)
			}
		})
	}
}

func TestTagDryRun(t *testing.T) {
	t.Parallel()
	root := write(t, sample())
	commit(t, root)
	code, stdout, stderr := release(t, "tag", "--dry-run", "-C", root)
	if code != exitOK {
		t.Fatalf("got exit code %d: %s", code, stderr)
	}
	expect(t, "stdout", stdout, "can be released", "not tagged")
	if tags := command(t, root, "git", "tag", "--list"); tags != "" {
		t.Errorf("tags were made: %s", tags)
	}
}
