package builds

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// cacheFolders are the cache folders of build tools, below the app's folder or that
// of its workspace.
var cacheFolders = []string{ //nolint:gochecknoglobals // a table
	".next/cache", "node_modules/.cache", "node_modules/.vite", "node_modules/.astro", ".turbo", ".parcel-cache", ".angular/cache", ".nx/cache",
}

// cachesName is the folder in an app's home that stores them between builds.
const cachesName = ".build-caches"

// The scripts that move caches run as the app's user, which owns both sides. The
// build gets hard links; the stored cache is a copy, as the app may change its
// files.
const (
	restoreScript = `for d; do s="$HOME/` + cachesName + `/$d"; if [ -d "$s" ] && [ ! -e "$d" ]; then mkdir -p "$(dirname "$d")" && cp -al "$s" "$d"; fi; done`
	saveScript    = `for d; do t="$HOME/` + cachesName + `/$d"; rm -rf "$t"; if [ -d "$d" ]; then mkdir -p "$(dirname "$t")" && cp -a --reflink=auto "$d" "$t"; fi; done`
)

// caches returns the paths of cache folders, below the build's folder.
func (g *building) caches() []string {
	var found []string
	for _, dir := range []string{g.project.App.Dir, g.project.Workspace.Dir} {
		for _, name := range cacheFolders {
			if name = path.Join(dir, name); !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found
}

// restoreCaches restores the caches of build tools from earlier builds.
func (g *building) restoreCaches(ctx context.Context) {
	if g.Home == "" || len(g.plan.Build) == 0 {
		return
	}
	if _, err := os.Stat(filepath.Join(g.Home, cachesName)); err != nil {
		return // none yet
	}
	g.moveCaches(ctx, restoreScript)
}

// saveCaches saves the caches of build tools for the next build.
func (g *building) saveCaches(ctx context.Context) {
	if g.Home != "" && len(g.plan.Build) > 0 {
		g.moveCaches(ctx, saveScript)
	}
}

// moveCaches runs a script on the cache folders. Errors are only logged: without
// caches a build is just slower.
func (g *building) moveCaches(ctx context.Context, script string) {
	var output strings.Builder
	err := g.run(ctx, command{
		args: append([]string{"/bin/sh", "-c", script, "sh"}, g.caches()...), dir: g.Dir, app: g.Dir,
		home: g.Home, as: g.Credential, metered: true, stdout: &output, stderr: &output,
	})
	if err != nil {
		g.o.Logger.WarnContext(ctx, "moving build caches failed", "dir", g.Dir, "error", err, "output", output.String())
	}
}

// siteName is the folder of a static site in the built folder.
const siteName = "site"

// keepStatic removes everything except a static site's folder, and returns the new
// path of that, below the build's folder.
func (g *building) keepStatic(static string) (string, error) {
	from := path.Join(g.project.App.Dir, static)
	if from == "." {
		return from, nil
	}
	root, err := os.OpenRoot(g.Dir)
	if err != nil {
		return "", fmt.Errorf("builds: %w", err)
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	const next = ".webhooks-site"
	if err := root.RemoveAll(next); err != nil {
		return "", fmt.Errorf("builds: keeping the site: %w", err)
	}
	if err := root.Rename(from, next); err != nil {
		return "", fmt.Errorf("builds: keeping the site: %w", err)
	}
	entries, err := os.ReadDir(g.Dir)
	if err != nil {
		return "", fmt.Errorf("builds: keeping the site: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == next {
			continue
		}
		if err := root.RemoveAll(entry.Name()); err != nil {
			return "", fmt.Errorf("builds: keeping the site: %w", err)
		}
	}
	if err := root.Rename(next, siteName); err != nil {
		return "", fmt.Errorf("builds: keeping the site: %w", err)
	}
	return siteName, nil
}
