package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// tag releases the commit at HEAD of the repository at root.
func tag(ctx context.Context, root string, dryRun bool, out io.Writer) (err error) {
	scratch, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	repo, err := openRepository(ctx, root, scratch)
	if err != nil {
		return err
	}
	head, err := repo.git(ctx, "", "rev-parse", "--verify", "HEAD^{commit}")
	if err != nil {
		return err
	}
	if err := repo.read(ctx, head); err != nil {
		return err
	}

	// What is released is the commit, not what lies in the work tree.
	w, err := repo.checkout(ctx, filepath.Join(scratch, "main"))
	if err != nil {
		return err
	}
	if err := w.check(ctx); err != nil {
		return fmt.Errorf("%.12s cannot be released:\n%w", head, err)
	}
	if err := w.checkDay(); err != nil {
		return err
	}
	names, err := repo.freeTags(ctx, w)
	if err != nil {
		return err
	}

	tree, err := repo.releaseTree(ctx, w, scratch)
	if err != nil {
		return err
	}
	released, err := repo.checkout(ctx, filepath.Join(scratch, "released"))
	if err != nil {
		return err
	}
	if err := released.verify(ctx); err != nil {
		return fmt.Errorf("the release commit would be broken: %w", err)
	}
	commit, err := repo.git(ctx, "Release "+w.version()+"\n", "commit-tree", tree, "-p", head)
	if err != nil {
		return err
	}
	if dryRun {
		_, err = fmt.Fprintf(out, "%s of %.12s can be released: commit %.12s was made and verified, but not tagged.\n", w.version(), head, commit)
		return err
	}
	if err := repo.createTags(ctx, commit, names); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `%s of %.12s is the commit %.12s, tagged:
  %s
Publish it:
  git push origin %s
Then begin the next version on main:
  go run ./tools/release set VERSION
`, w.version(), head, commit, strings.Join(names, "\n  "), strings.Join(names, " "))
	return err
}

// checkout writes the index to dir and opens it as a workspace.
func (r *repository) checkout(ctx context.Context, dir string) (*workspace, error) {
	if err := r.export(ctx, dir); err != nil {
		return nil, err
	}
	return openWorkspace(dir)
}

// checkDay refuses a changelog that still calls the version unreleased: in the
// release commit that could never be mended.
func (w *workspace) checkDay() error {
	data, err := os.ReadFile(filepath.Join(w.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	s, err := findSection(string(data), w.version())
	if err != nil {
		return err
	}
	if s.day.IsZero() {
		return fmt.Errorf("CHANGELOG.md: the section of %s says Unreleased: write the day of the release there, as in 2026-11-23, and commit it", w.version()[1:])
	}
	return nil
}

// freeTags names the tags of the release and refuses if one is taken: a
// published version never changes.
func (r *repository) freeTags(ctx context.Context, w *workspace) ([]string, error) {
	var names []string
	for _, m := range w.modules {
		if m.tagged() {
			names = append(names, m.dir+"/"+w.version())
		}
	}
	taken, err := r.git(ctx, "", append([]string{"tag", "--list"}, names...)...)
	if err != nil {
		return nil, err
	}
	if taken != "" {
		return nil, fmt.Errorf("%s is tagged already (%s): begin the next version with release set", w.version(), strings.Join(strings.Fields(taken), ", "))
	}
	return names, nil
}

// releaseTree turns the index, which holds w, into the tree of the release and
// returns its id.
func (r *repository) releaseTree(ctx context.Context, w *workspace, scratch string) (string, error) {
	order, err := w.inOrder()
	if err != nil {
		return "", err
	}
	known := make(map[module.Version]sums)
	for _, m := range order {
		if !m.tagged() {
			continue // keeps its replaces: nobody fetches it
		}
		if err := r.detach(ctx, m, known); err != nil {
			return "", err
		}
		tree, err := r.tree(ctx)
		if err != nil {
			return "", err
		}
		goMod, err := m.text()
		if err != nil {
			return "", err
		}
		self := module.Version{Path: m.path(), Version: w.version()}
		if known[self], err = hash(self, r.root, tree, m.dir, goMod, scratch); err != nil {
			return "", err
		}
		if err := w.work.AddReplace(self.Path, self.Version, "./"+m.dir, ""); err != nil {
			return "", fmt.Errorf("go.work: %w", err)
		}
	}
	w.work.Cleanup()
	if err := r.put(ctx, "go.work", modfile.Format(w.work.Syntax)); err != nil {
		return "", err
	}
	return r.tree(ctx)
}

// detach puts the go.mod of m without its replaces into the index, and its
// go.sum with the hashes of its siblings. "go install" does not read them, but
// a build of that module alone does.
func (r *repository) detach(ctx context.Context, m *goModule, known map[module.Version]sums) error {
	for _, replaced := range m.mod.Replace {
		if err := m.mod.DropReplace(replaced.Old.Path, replaced.Old.Version); err != nil {
			return fmt.Errorf("%s/go.mod: %w", m.dir, err)
		}
	}
	goMod, err := m.text()
	if err != nil {
		return err
	}
	if err := r.put(ctx, m.dir+"/go.mod", goMod); err != nil {
		return err
	}
	siblings := make(map[module.Version]sums)
	for _, s := range m.siblings() {
		siblings[s] = known[s]
	}
	if len(siblings) == 0 {
		return nil
	}
	goSum, err := r.file(ctx, m.dir+"/go.sum")
	if err != nil {
		return err
	}
	if goSum, err = addSums(goSum, siblings); err != nil {
		return fmt.Errorf("%s: %w", m.dir, err)
	}
	return r.put(ctx, m.dir+"/go.sum", goSum)
}

// verify holds the tree of a release to what its consumers need: a module with
// a replace cannot be installed by anyone, and a checkout of the tag must build
// before the version can be fetched from anywhere.
func (w *workspace) verify(ctx context.Context) error {
	for _, m := range w.modules {
		if m.tagged() && len(m.mod.Replace) > 0 {
			return fmt.Errorf("%s/go.mod: still replaces %s", m.dir, m.mod.Replace[0].Old.Path)
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "work")
	cmd.Dir = w.root
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(w.root, "go.work"), "PWD="+w.root)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build work: %w\n%s", err, out)
	}
	return nil
}
