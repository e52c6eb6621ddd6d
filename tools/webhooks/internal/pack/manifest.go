package pack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

const manifestName = "package.json"

// Manifest is the folder's package.json.
type Manifest struct {
	Name    string // "" if there is none
	Version string // "0.0.0" if there is none
	Fields  []byte // the whole, a JSON object

	files []string // nil if there are none
	loads []string // main, and what is in bin

	bundle []string // names of the packages that are packed from node_modules
	start  string   // the command
	builds bool     // there is a script that builds it on the platform
}

// parse reads a package.json. The rest of it is for the platform.
func parse(text []byte) (Manifest, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return Manifest{}, fmt.Errorf("package.json is not a JSON object: %w", err)
	}
	if fields == nil {
		return Manifest{}, errors.New("package.json is not a JSON object")
	}
	m := Manifest{Name: loosely[string](fields["name"]), Version: loosely[string](fields["version"]), Fields: text}
	if m.Version == "" {
		m.Version = "0.0.0"
	}
	m.files = loosely[[]string](fields["files"])
	m.loads = append(m.loads, loosely[string](fields["main"]), loosely[string](fields["bin"]))
	for _, name := range loosely[map[string]string](fields["bin"]) {
		m.loads = append(m.loads, name)
	}
	m.bundle = bundle(fields, text)
	scripts := loosely[map[string]string](fields["scripts"])
	m.start, m.builds = scripts["start"], scripts["build"] != "" || scripts["heroku-postbuild"] != "" || scripts["prestart"] != ""
	return m, nil
}

// loosely reads a field that may be anything; what is not a T reads as zero.
func loosely[T any](field json.RawMessage) T {
	var read, zero T
	if json.Unmarshal(field, &read) != nil {
		return zero
	}
	return read
}

// kept returns the rules of what is always taken.
func (m Manifest) kept() ruleSet {
	set := ruleSet{base: ".", reaching: true}
	// What a build on the platform goes by.
	for _, name := range []string{
		"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".yarnrc",
		".nvmrc", ".node-version", "Procfile",
	} {
		set.rules = append(set.rules, rule{parts: []string{literal(name)}, back: true, rooted: true, files: true})
	}
	for _, dir := range []string{"releases", "plugins", "patches"} {
		set.rules = append(set.rules, rule{parts: []string{".yarn", dir, "**"}, back: true, rooted: true, files: true})
	}
	for _, name := range []string{
		manifestName,
		"[rR][eE][aA][dD][mM][eE]*", "[lL][iI][cC][eE][nN][sScC][eE]*", "[cC][oO][pP][yY][iI][nN][gG]*",
	} {
		set.rules = append(set.rules, rule{parts: []string{name}, back: true, rooted: true, files: true})
	}
	for _, name := range m.loads {
		name = path.Clean("/" + name)
		if name == "/" {
			continue
		}
		for _, file := range []string{name, name + ".js", name + "/index.js"} {
			parts := strings.Split(literal(file[1:]), "/")
			set.rules = append(set.rules, rule{parts: parts, back: true, rooted: true, files: true})
		}
	}
	return set
}

// literal returns a pattern that matches name alone.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

// listed returns the rules of the list `files`: nothing but what it names, and
// all that is below that.
func listed(files []string) ruleSet {
	set := ruleSet{base: ".", reaching: true, rules: []rule{{parts: []string{"**"}}}}
	var all []string
	for _, name := range files {
		all = append(all, alternatives(name)...)
	}
	for _, name := range all {
		name, out := strings.CutPrefix(name, "!")
		name = strings.Trim(path.Clean("/"+name), "/")
		if name == "" {
			name = "**"
		}
		parts := strings.Split(strings.ReplaceAll(name, "[!", "[^"), "/")
		set.rules = append(set.rules,
			rule{parts: parts, back: !out, rooted: true},
			rule{parts: append(slices.Clip(parts), "**"), back: !out, rooted: true})
	}
	return set
}
