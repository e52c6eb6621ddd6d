package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// publish has the go command itself fetch the tagged modules from the git
// repository at root, as the public proxy would, and returns the URL of a file
// proxy that serves them: the cache it filled has the layout of one.
func publish(t *testing.T, root, version string) string {
	t.Helper()
	cache := t.TempDir()
	env := []string{
		"GOWORK=off", "GOMODCACHE=" + cache, "GOFLAGS=-modcacherw", "GOPROXY=direct", "GOSUMDB=off", "GOTOOLCHAIN=local",
		// git takes the repository for the one at GitHub.
		"GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=url.file://" + filepath.ToSlash(root) + ".insteadOf",
		"GIT_CONFIG_VALUE_0=https://" + strings.TrimSuffix(prefix, "/"),
	}
	args := []string{"mod", "download"}
	for _, dir := range folders() {
		if dir != "tests" {
			args = append(args, prefix+dir+"@"+version)
		}
	}
	commandEnv(t, t.TempDir(), env, "go", args...)
	return "file://" + filepath.ToSlash(filepath.Join(cache, "cache", "download"))
}

// outside is the environment of somebody who knows nothing of this work tree: a
// module cache of their own, and a proxy that has the release, then one for
// third-party modules.
func outside(t *testing.T, proxies ...string) []string {
	t.Helper()
	proxies = slices.DeleteFunc(proxies, func(p string) bool { return p == "" })
	return []string{
		"GOMODCACHE=" + t.TempDir(),
		"GOBIN=" + t.TempDir(),
		"GOPROXY=" + strings.Join(proxies, ","),
		// The release is in no public checksum database. The third-party modules
		// come from this machine's own cache, which has checked them.
		"GOSUMDB=off",
		"GOTOOLCHAIN=local",
		// A cache that may be deleted, and objects that the next run finds again.
		"GOFLAGS=-modcacherw -trimpath",
	}
}

// useProviders builds a program outside the workspace that imports providers/github,
// and checks what that brings along and what the program prints.
func useProviders(t *testing.T, env []string, version, program, want string) {
	t.Helper()
	dir := write(t, map[string]string{
		"go.mod":  "module example.org/consumer\n\ngo 1.26.8\n",
		"main.go": program,
	})
	commandEnv(t, dir, env, "go", "get", prefix+"providers/github@"+version)
	if got := commandEnv(t, dir, env, "go", "run", "."); got != want {
		t.Errorf("the consumer printed %q, want %q", got, want)
	}
	modules := strings.Split(commandEnv(t, dir, env, "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all"), "\n")
	for _, needed := range []string{sibling("core", version), sibling("providers", version)} {
		if !slices.Contains(modules, needed) {
			t.Errorf("the consumer's modules lack %s: %v", needed, modules)
		}
	}
	linked := strings.SplitSeq(commandEnv(t, dir, env, "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "."), "\n")
	for path := range linked {
		if path != "" && path != "example.org/consumer" && path != prefix+"core" && path != prefix+"providers" {
			t.Errorf("providers/github links %s: it must need core and the standard library alone", path)
		}
	}
}

// install does what the README tells a user to do and returns the program.
func install(t *testing.T, env []string, version string) string {
	t.Helper()
	commandEnv(t, t.TempDir(), env, "go", "install", prefix+"tools/webhooks@"+version)
	for _, setting := range env {
		if bin, ok := strings.CutPrefix(setting, "GOBIN="); ok {
			program := filepath.Join(bin, "webhooks")
			if _, err := os.Stat(program); err != nil {
				t.Fatal(err)
			}
			return program
		}
	}
	t.Fatal("no GOBIN")
	return ""
}

// cloneAt clones the repository and checks the tag out.
func cloneAt(t *testing.T, root, tag string) string {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	command(t, root, "git", "clone", "--quiet", "--config=advice.detachedHead=false", "--branch="+tag, root, clone)
	return clone
}

// buildAtTag compiles every tagged module alone, its tests too, in a checkout of the tag. The
// hashes in its go.sum must be what the go command finds for the modules of the
// proxy, no line more and no line less.
func buildAtTag(t *testing.T, root string, env []string, version string) {
	t.Helper()
	clone := cloneAt(t, root, "core/"+version)
	env = append(slices.Clone(env), "GOWORK=off")
	for _, dir := range folders() {
		if dir == "tests" {
			continue
		}
		dir = filepath.Join(clone, dir)
		commandEnv(t, dir, env, "go", "vet", "./...")
		commandEnv(t, dir, env, "go", "mod", "tidy", "-diff")
	}
}
