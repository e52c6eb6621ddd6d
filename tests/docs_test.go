package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link matches the target of a link in Markdown.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// namedPath matches a file or folder of the repository between backticks.
var namedPath = regexp.MustCompile("`((?:adapters|core|deployer|docs|httpapi|providers|tests|tools)/[A-Za-z0-9_./-]+)`")

// releaseTag matches the tag of a module's release, which looks like a path.
var releaseTag = regexp.MustCompile(`^[a-z]+/v\d`)

// TestDocumentsNameWhatExists follows the links and the paths in every page of
// the repository.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	pages := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == "testdata" || path == "../httpapi/docs/pages"): // a copy
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		pages++
		text, err := os.ReadFile(path) //nolint:gosec // of this repository
		if err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(found[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, found[1])
			}
		}
		for _, found := range namedPath.FindAllStringSubmatch(string(text), -1) {
			if releaseTag.MatchString(found[1]) {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", found[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", path, found[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 5 {
		t.Errorf("found %d pages; want at least the README and those in docs", pages)
	}
}
