package tests

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A word is a pattern that reads like a riddle, and what to write in its place.
type word struct {
	pattern string
	instead string
	except  []string // texts of a match that are fine
}

func words() []word {
	return []word{
		{`\w+ (?:is|are|was|were) none\b`, "invalid X: want Y", []string{"there is none", "there are none", "there was none", "There is none", "There are none"}},
		{`\w+ (?:is|are|was|were) no [a-z]+`, "is not a", []string{"there is no ", "there are no ", "there was no ", "there were no ", "There is no ", "There are no ", "There was no ", "There were no ", " no longer", " no more", " no different"}},
		{`(?:^\s*(?:// )?|[.;:] )Where [a-z]+`, "if", nil},
		{`\b(?:only|even|also|else|except|but) where\b`, "if", nil},
		{`\bwhere (?:there (?:is|are|was)|nothing|nobody|it can|it fails|that fails|none)\b`, "if", nil},
		{`\bwhither\b`, "a name for what it does", nil},
		{`\b[Tt]old\b`, "notified, reported, written, printed", nil},
		{`\b[Nn]obody\b`, "no user, no caller", nil},
		{`\b[Ss]omebody\b`, "a user, another process", nil},
		{`\b[Tt]ells? (?:whether|of|what|which|how|that|where|who|why)\b`, "reports whether, says", nil},
		{`\b(?:longer|less|more|fewer) than (?:nothing|none)\b`, "must be positive", nil},
	}
}

// allowed is the number of matches that a folder may still have. It only goes
// down; a folder that is not listed has none.
func allowed() map[string]int {
	return map[string]int{}
}

// TestPlainWords reads the code, the comments, the messages and the documents.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	var patterns []*regexp.Regexp
	for _, w := range words() {
		patterns = append(patterns, regexp.MustCompile(w.pattern))
	}
	found := map[string][]string{}
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		below, _ := filepath.Rel("..", name) // both are relative
		below = filepath.ToSlash(below)
		if entry.IsDir() || below == "tests/words_test.go" || !slices.Contains([]string{".go", ".md", ".sh", ".lua"}, path.Ext(below)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		folder, _, inside := strings.Cut(below, "/")
		if !inside {
			folder = "."
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			for i, w := range words() {
				for _, match := range patterns[i].FindAllString(line, -1) {
					if !slices.ContainsFunc(w.except, func(fine string) bool { return strings.Contains(match+" ", fine) }) {
						found[folder] = append(found[folder], below+":"+strconv.Itoa(number)+": "+strings.TrimSpace(match)+": write "+w.instead)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, all := range found {
		if len(all) > allowed()[folder] {
			t.Errorf("%s: %d matches, want at most %d:\n%s", folder, len(all), allowed()[folder], strings.Join(all, "\n"))
		}
	}
	for folder, most := range allowed() {
		if len(found[folder]) == 0 {
			t.Errorf("%s has no matches any more: remove its line, which allows %d", folder, most)
		}
	}
}
