package pack

import (
	"path"
	"slices"
	"strings"
)

// ruleSet is what one folder says about what is below it.
type ruleSet struct {
	base  string // the folder, "." for the root
	rules []rule
	// reaching: a rule that brings something back does so within a folder that
	// is left out, if its pattern names the path to it. So it is with npm, not with git.
	reaching bool
}

// rule is a line of an ignore file.
type rule struct {
	parts   []string // of the path, each a pattern of path.Match, or "**"
	back    bool     // it brings back what others leave out
	folders bool     // it is for folders alone
	rooted  bool     // its path is relative to the folder of its file
	files   bool     // it is for files alone
}

// parseRules reads an ignore file in the form of gitignore(5). With braces a line
// may have alternatives, which npm understands and git does not.
func parseRules(text string, braces bool) []rule {
	var rules []rule
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		lines := []string{strings.TrimSuffix(line, "\r")}
		if braces && !strings.HasPrefix(line, "#") {
			lines = alternatives(lines[0])
		}
		for _, line := range lines {
			if r, ok := parseRule(line); ok {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// maxAlternatives limits what a pattern with braces stands for.
const maxAlternatives = 1000

// alternatives returns the patterns that a pattern such as "*.{js,d.ts}" stands for. One
// whose braces have no comma, or are not closed, stands for itself.
func alternatives(pattern string) []string {
	found := []string{pattern}
	for i := 0; i < len(found) && len(found) < maxAlternatives; {
		before, options, after, ok := braces(found[i])
		if !ok {
			i++
			continue
		}
		var each []string
		for _, option := range options {
			each = append(each, before+option+after)
		}
		found = slices.Replace(found, i, i+1, each...)
	}
	return found
}

// braces splits a pattern at its first braces that have alternatives.
func braces(pattern string) (before string, options []string, after string, ok bool) {
	for begin := range len(pattern) {
		if pattern[begin] != '{' || begin > 0 && pattern[begin-1] == '\\' {
			continue
		}
		depth, last := 0, begin+1
		options = nil
		for i := begin; i < len(pattern); i++ {
			switch {
			case pattern[i] == '{':
				depth++
			case pattern[i] == ',' && depth == 1:
				options, last = append(options, pattern[last:i]), i+1
			case pattern[i] == '}':
				depth--
			}
			if depth > 0 {
				continue
			}
			if options == nil {
				break
			}
			return pattern[:begin], append(options, pattern[last:i]), pattern[i+1:], true
		}
	}
	return pattern, nil, "", false
}

func parseRule(line string) (r rule, ok bool) {
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	if line == "" || line[0] == '#' {
		return rule{}, false
	}
	if line[0] == '!' {
		r.back, line = true, line[1:]
	}
	if strings.HasSuffix(line, "/") {
		r.folders, line = true, strings.TrimRight(line, "/")
	}
	r.rooted = strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return rule{}, false
	}
	if !r.rooted {
		line = "**/" + line
	}
	for part := range strings.SplitSeq(line, "/") {
		r.parts = append(r.parts, strings.ReplaceAll(part, "[!", "[^"))
	}
	return r, true
}

// decide reports whether a path is left out: the last rule that matches it
// decides, and if none does, out, which is whether the folder above is. Below one
// that is, only reaching rules bring something back. reached is set for a
// folder that such a rule names the way through.
func decide(sets []ruleSet, name string, folder, out bool) (left, reached bool) {
	left = out
	for _, set := range sets {
		below := name
		if set.base != "." {
			below = strings.TrimPrefix(name, set.base+"/")
		}
		parts := strings.Split(below, "/")
		for _, r := range set.rules {
			if r.folders && !folder || r.files && folder || r.back && out && !set.reaching {
				continue
			}
			if matches(r.parts, parts) {
				left = !r.back
			}
		}
		for _, r := range set.rules {
			if folder && set.reaching && r.back && r.rooted && leads(r.parts, parts) {
				reached = true
			}
		}
	}
	return left, reached
}

// matches reports whether the pattern is for that path. "**" stands for any
// number of parts, at the end for one at least.
func matches(pattern, parts []string) bool {
	if len(pattern) > 0 && pattern[len(pattern)-1] == "**" {
		pattern = append(slices.Clip(pattern), "*")
	}
	// The usual way with wildcards: only the last "**" is ever lengthened.
	p, star, from := 0, -1, 0
	for i := 0; i < len(parts); {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			star, from = p, i
			p++
		case p < len(pattern) && matchesPart(pattern[p], parts[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

// leads reports whether something below the folder can match the pattern.
func leads(pattern, folder []string) bool {
	for i, part := range folder {
		switch {
		case i >= len(pattern):
			return false
		case pattern[i] == "**":
			return true
		case !matchesPart(pattern[i], part):
			return false
		}
	}
	return len(pattern) > len(folder)
}

func matchesPart(pattern, part string) bool {
	matched, err := path.Match(pattern, part)
	return matched && err == nil // an invalid pattern matches nothing
}
