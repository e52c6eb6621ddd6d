package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is a workspace in the shape of ours, small and without third-party
// modules, ready to be released as v0.1.0.
func sample() map[string]string {
	files := map[string]string{
		"LICENSE":      "Do as you like.\n",
		"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-23\n\n### Added\n\n- A greeting.\n",
		"go.work":      "go 1.26.8\n\nuse (\n",
		"core/core.go": "// Package core greets.\npackage core\n\n// Greeting is how we greet.\nconst Greeting = \"hello\"\n",
		"providers/github/github.go": "// Package github asks core.\npackage github\n\n" +
			"import \"" + prefix + "core\"\n\n// Name greets.\nfunc Name() string { return core.Greeting + \" github\" }\n",
		"tests/tests.go": "// Package tests is never released.\npackage tests\n\nimport _ \"" + prefix + "core\"\n",
		"tools/webhooks/main.go": "// Command webhooks knows them all.\npackage main\n\nimport (\n\t\"fmt\"\n\n" +
			"\t_ \"" + prefix + "adapters/bolt\"\n\t_ \"" + prefix + "deployer\"\n\t_ \"" + prefix + "httpapi\"\n\t\"" + prefix + "providers/github\"\n)\n\n" +
			"func main() { fmt.Println(github.Name()) }\n",
	}
	for _, dir := range folders() {
		files["go.work"] += "\t./" + dir + "\n"
		files[dir+"/go.mod"] = goMod(dir, "core")
	}
	files["go.work"] += ")\n"
	files["core/go.mod"] = goMod("core")
	files["tools/go.mod"] = goMod("tools", "adapters", "core", "deployer", "httpapi", "providers")
	// core is required by what tools imports, and not by tools itself.
	files["tools/go.mod"] = strings.Replace(files["tools/go.mod"], "\t"+prefix+"core v0.1.0\n", "", 1)
	files["tools/go.mod"] = strings.Replace(files["tools/go.mod"], "\nreplace", "\nrequire "+prefix+"core v0.1.0 // indirect\n\nreplace", 1)
	for name, dir := range map[string]string{"bolt": "adapters/bolt", "deployer": "deployer", "httpapi": "httpapi"} {
		files[dir+"/"+name+".go"] = "// Package " + name + " needs core.\npackage " + name + "\n\nimport _ \"" + prefix + "core\"\n"
	}
	return files
}

// edited is the sample with one change to one file.
func edited(t *testing.T, file, old, with string) map[string]string {
	t.Helper()
	files := sample()
	if !strings.Contains(files[file], old) {
		t.Fatalf("%s has no %q", file, old)
	}
	files[file] = strings.Replace(files[file], old, with, 1)
	return files
}

// goMod is the tidy go.mod on main of a module that requires siblings.
func goMod(dir string, siblings ...string) string {
	text := "module " + prefix + dir + "\n\ngo 1.26.8\n"
	var require, replace []string
	for _, s := range siblings {
		require = append(require, prefix+s+" v0.1.0")
		replace = append(replace, prefix+s+" => ../"+s)
	}
	return text + block("require", require) + block("replace", replace)
}

func block(verb string, lines []string) string {
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return "\n" + verb + " " + lines[0] + "\n"
	}
	return "\n" + verb + " (\n\t" + strings.Join(lines, "\n\t") + "\n)\n"
}

// write lays files out in a fresh folder.
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

// commit makes root a git repository with everything in it committed.
func commit(t *testing.T, root string) {
	t.Helper()
	command(t, root, "git", "init", "--quiet", "--initial-branch=main")
	command(t, root, "git", "add", "--all")
	command(t, root, "git", "commit", "--quiet", "--message=Everything")
}

// command runs a program in dir, fails the test if it does, and returns what it
// printed.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	return commandEnv(t, dir, nil, name, args...)
}

func commandEnv(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(t.Context(), dir, env, name, args...)
	if err != nil {
		t.Fatalf("in %s: %s %s: %v\n%s", dir, name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func try(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{
		"PWD=" + dir,
		"GIT_AUTHOR_NAME=Release Test", "GIT_AUTHOR_EMAIL=release@example.org",
		"GIT_COMMITTER_NAME=Release Test", "GIT_COMMITTER_EMAIL=release@example.org",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
	}, env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// release runs our own program and returns its exit code and both its outputs.
func release(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// snapshot maps every file below root to its content, except git's own.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, name)
		files[filepath.ToSlash(below)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// changed lists the files in which two snapshots differ.
func changed(before, after map[string]string) []string {
	names := make(map[string]bool)
	for name, text := range before {
		if other, ok := after[name]; !ok || other != text {
			names[name] = true
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func expect(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not contain %q:\n%s", what, part, text)
		}
	}
}

func sibling(dir, version string) string { return fmt.Sprintf("%s%s %s", prefix, dir, version) }
