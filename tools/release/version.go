package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// set makes version the one that the modules require of each other, and lists the API
// that it is compared with.
func (w *workspace) set(version string, out io.Writer) error {
	if err := module.Check(prefix+"core", version); err != nil || semver.Canonical(version) != version {
		return fmt.Errorf("invalid version %q: want the form v0.2.0 or v1.0.0-rc.1; v2 needs other module paths: %w", version, errUsage)
	}
	for _, m := range w.modules {
		for _, r := range m.siblings() {
			if err := m.mod.AddRequire(r.Path, version); err != nil {
				return err
			}
		}
		text, err := m.mod.Format()
		if err != nil {
			return err
		}
		if err := w.write(m.dir+"/go.mod", text); err != nil {
			return err
		}
	}
	for _, r := range w.work.Replace {
		if i := slices.Index(r.Syntax.Token, r.Old.Version); i >= 0 {
			r.Syntax.Token[i] = version
		}
	}
	if err := w.write("go.work", modfile.Format(w.work.Syntax)); err != nil {
		return err
	}
	if err := w.writeAPI(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "The modules require each other at %s. CHANGELOG.md needs its section: ## [%s] - Unreleased\n", version, version[1:])
	return err
}

func (w *workspace) write(name string, text []byte) error {
	return os.WriteFile(filepath.Join(w.root, name), text, 0o644) //nolint:gosec // a source file, read by everyone
}

// tag tags HEAD for every module, or for no module. The work tree must be clean,
// so that the checked files are those of HEAD.
func (w *workspace) tag(ctx context.Context, out io.Writer) error {
	if err := w.check(); err != nil {
		return err
	}
	heading, _, err := w.changelog()
	if err != nil {
		return err
	}
	if !regexp.MustCompile(` - \d{4}-\d\d-\d\d$`).MatchString(heading) {
		return fmt.Errorf("CHANGELOG.md: %q: write the day of the release, as in \"## [0.1.0] - 2026-11-23\", and commit it", heading)
	}
	changed, err := w.git(ctx, "", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return errors.New("the work tree has changes: commit or stash them, because HEAD is tagged:\n" + changed)
	}
	var names, refs []string
	for _, m := range w.released() {
		names = append(names, m.dir+"/"+w.version())
		refs = append(refs, "create refs/tags/"+m.dir+"/"+w.version()+" HEAD\n")
	}
	if _, err := w.git(ctx, "start\n"+strings.Join(refs, "")+"prepare\ncommit\n", "update-ref", "--stdin"); err != nil {
		return fmt.Errorf("tag %s: %w: if it is released already, begin the next version with release set", w.version(), err)
	}
	_, err = fmt.Fprintf(out, "Tagged HEAD as %s. Publish the release, then begin the next version:\n  git push origin %[1]s\n  go run ./tools/release set VERSION\n",
		strings.Join(names, " "))
	return err
}

// git runs a git command in the root and returns its output.
func (w *workspace) git(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // fixed arguments
	cmd.Dir = w.root
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return string(out), nil
}
