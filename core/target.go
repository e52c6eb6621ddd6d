package core

import (
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Target is what the URL of a webhook asks for. The zero Target asks for nothing in
// particular: the default branch is deployed as the app that package.json names.
type Target struct {
	Branch string   `json:"branch,omitempty"` // the one branch to deploy; "": the default branch
	App    string   `json:"app,omitempty"`    // name of the app; "": that of package.json
	Root   string   `json:"root,omitempty"`   // folder of the repository that has the app; "": the top
	Paths  []string `json:"paths,omitempty"`  // patterns of files, see Matches; a push that changes none is ignored
	Gate   string   `json:"gate,omitempty"`   // what a push waits for; "": what its commit says; GateNone: nothing
	// GateEmpty is what becomes of a push whose gate is GateChecks or a list of checks,
	// and that has none: GateEmptySkip, which is also the meaning of "", or
	// GateEmptyDeploy.
	GateEmpty string `json:"gate_empty,omitempty"`
}

// GateNone is the gate of a Target whose pushes wait for nothing.
const GateNone = "none"

// Values of Target.GateEmpty.
const (
	GateEmptySkip   = "skip"
	GateEmptyDeploy = "deploy"
)

// The limits of a Target.
const (
	maxBranch  = 255
	maxRoot    = 255
	maxPaths   = 50
	maxPattern = 255
	maxGate    = 1024
)

// IsZero reports whether t asks for nothing in particular.
func (t Target) IsZero() bool { return t.Equal(Target{}) }

// Equal reports whether two targets ask for the same.
func (t Target) Equal(u Target) bool {
	return t.Branch == u.Branch && t.App == u.App && t.Root == u.Root && t.Gate == u.Gate && t.GateEmpty == u.GateEmpty &&
		slices.Equal(t.Paths, u.Paths)
}

// Parameters yields the parameters of a URL that asks for t.
func (t Target) Parameters() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, p := range [][2]string{
			{"branch", t.Branch}, {"app", t.App}, {"root", t.Root}, {"paths", strings.Join(t.Paths, ",")}, {"gate", t.Gate}, {"gate_empty", t.GateEmpty},
		} {
			if p[1] != "" && !yield(p[0], p[1]) {
				return
			}
		}
	}
}

// String returns t as the parameters of a URL are read by a person, such as
// "branch=staging, app=hello".
func (t Target) String() string {
	var all []string
	for name, value := range t.Parameters() {
		all = append(all, name+"="+value)
	}
	if all == nil {
		return "no parameters"
	}
	return strings.Join(all, ", ")
}

// NewTarget returns the target that parameters ask for. parameter returns the value
// of a parameter by its name, "" if it is missing. It fails if a value is invalid.
func NewTarget(parameter func(name string) string) (Target, error) {
	t := Target{Branch: parameter("branch"), App: parameter("app"), Root: parameter("root"), Gate: parameter("gate"), GateEmpty: parameter("gate_empty")}
	for pattern := range strings.SplitSeq(parameter("paths"), ",") {
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			t.Paths = append(t.Paths, pattern)
		}
	}
	if t.Root != "" {
		if t.Root = strings.Trim(path.Clean(strings.TrimPrefix(t.Root, "./")), "/"); t.Root == "." {
			t.Root = ""
		}
	}
	return t, t.Validate()
}

// Validate returns an error that says which value is invalid.
func (t Target) Validate() error {
	switch {
	case !plain(t.Branch, maxBranch):
		return fmt.Errorf("invalid branch: want the name of a branch")
	case t.App != "" && !ValidName(t.App):
		return CheckName("app", t.App)
	case !plain(t.Root, maxRoot) || t.Root != "" && (path.Clean(t.Root) != t.Root || path.IsAbs(t.Root) || strings.HasPrefix(t.Root+"/", "../") || strings.Contains(t.Root, `\`)):
		return fmt.Errorf("invalid root %.100q: want a folder of the repository, such as packages/api", t.Root)
	case !plain(t.Gate, maxGate):
		return fmt.Errorf("invalid gate: want at most %d characters", maxGate)
	case t.GateEmpty != "" && t.GateEmpty != GateEmptySkip && t.GateEmpty != GateEmptyDeploy:
		return fmt.Errorf("invalid gate_empty %.100q: want skip or deploy", t.GateEmpty)
	case len(t.Paths) > maxPaths:
		return fmt.Errorf("invalid paths: want at most %d patterns", maxPaths)
	}
	for _, pattern := range t.Paths {
		if !plain(pattern, maxPattern) || strings.Trim(pattern, "!/") == "" {
			return fmt.Errorf("invalid pattern %.100q in paths: want one such as packages/api/** or !**/*.md", pattern)
		}
	}
	return nil
}

// plain reports whether a text is short enough and has no control characters.
func plain(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// Matches reports whether a changed file is one that t's Paths ask for: the last
// pattern that matches it decides, and it is not if that begins with '!'. If all
// patterns begin with '!', every other file is asked for.
//
// In a pattern, '*' and '?' match within a name, and '**' any number of folders. A
// pattern that matches a folder matches all that is in it.
func (t Target) Matches(file string) bool {
	matched := !slices.ContainsFunc(t.Paths, func(pattern string) bool { return pattern[0] != '!' })
	for _, pattern := range t.Paths {
		pattern, excludes := strings.CutPrefix(pattern, "!")
		if matchesPath(strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(file, "/")) {
			matched = !excludes
		}
	}
	return matched
}

// matchesPath matches the parts of a pattern against those of a path, or of a
// folder above it. It takes time in proportion to their product.
func matchesPath(pattern, file []string) bool {
	// reach[i] reports whether the parts of the pattern so far match file[:i].
	reach := make([]bool, len(file)+1)
	reach[0] = true
	for _, part := range pattern {
		next := make([]bool, len(file)+1)
		for i := range reach {
			switch {
			case part == "**":
				next[i] = reach[i] || i > 0 && next[i-1]
			case i > 0 && reach[i-1]:
				next[i] = matchesName(part, file[i-1])
			}
		}
		reach = next
	}
	return slices.Contains(reach[1:], true)
}

// matchesName reports whether a name matches a pattern of '*', '?' and other
// characters, which match themselves.
func matchesName(pattern, name string) bool {
	star, back := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, back = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			back++
			p, n = star+1, back
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
