package project

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
)

// Node is the Node.js that an app asks for.
type Node struct {
	Text     string // as it is written; "" if nothing is
	Source   string // where, such as "engines.node in package.json"
	versions npmsemver.Range
	lts      bool
	also     []npmsemver.Range // which contain it too
}

// And returns an n that is in a range, too.
func (n Node) And(r npmsemver.Range) Node {
	n.also = append(slices.Clone(n.also), r)
	return n
}

// Matches reports whether a version is what is asked for. An app that asks for
// nothing gets a long-term support release.
func (n Node) Matches(v npmsemver.Version) bool {
	for _, r := range n.also {
		if !r.Contains(v) {
			return false
		}
	}
	return n.versions.Contains(v) && (!n.lts || isLTS(v))
}

// isLTS reports whether a version is of a release line in long-term support:
// even ones are, from about their ninth minor version on (nodejs.org/about/releases).
func isLTS(v npmsemver.Version) bool { return v.Major%2 == 0 && v.Minor >= 9 }

// codenames are the names of the release lines in long-term support.
var codenames = map[string]string{ //nolint:gochecknoglobals // a table
	"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14",
	"gallium": "16", "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
}

// unsafe is what no range or name of versions has.
var unsafe = regexp.MustCompile(`[^0-9A-Za-z.*^~<>=|+/,&_ -]`)

// AskNode reads what an app asks for, in any of the ways that npm, nvm and
// their like have for it.
func AskNode(text, source string) (Node, error) {
	n := Node{Text: strings.TrimSpace(text), Source: source, versions: npmsemver.Any()}
	name, isLine := strings.CutPrefix(strings.ToLower(n.Text), "lts")
	name = strings.Trim(name, "/-")
	switch {
	case n.Text == "":
		n.lts = true
		return n, nil
	case isLine && (name == "" || name == "*" || name == "latest"):
		n.lts = true
		return n, nil
	case isLine && codenames[name] != "":
		n.versions, _ = npmsemver.ParseRange(codenames[name])
		return n, nil
	}
	switch strings.ToLower(n.Text) {
	case "node", "latest", "current", "stable", "system":
		return n, nil
	}
	r, err := npmsemver.ParseRange(n.Text)
	if err != nil || len(n.Text) > 256 || unsafe.MatchString(n.Text) {
		return Node{}, failure("%s is %.256q, which is not a range of versions; write one such as \">=20\"", source, n.Text)
	}
	n.versions = r
	return n, nil
}

// readNode finds out what Node.js an app asks for: engines.node, else a
// .node-version, else a .nvmrc, of the app or of its workspace.
func readNode(root *os.Root, dirs []string, packages []Package) (Node, error) {
	for i, p := range packages {
		if text := strings.TrimSpace(p.Engines["node"]); text != "" {
			return AskNode(text, "engines.node in "+path.Join(dirs[i], manifestName))
		}
	}
	for _, dir := range dirs {
		for _, name := range []string{".node-version", ".nvmrc"} {
			name = path.Join(dir, name)
			text, err := readFile(root, name, 4<<10)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return Node{}, failure("%s can't be read: %v", name, err)
			}
			if line := firstLine(string(text)); line != "" {
				return AskNode(line, name)
			}
		}
	}
	return AskNode("", "")
}

// firstLine returns the first line that is not empty or a comment.
func firstLine(text string) string {
	for line := range strings.Lines(strings.TrimPrefix(text, bom)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}
