package travis

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Branches says which branches Travis CI builds: names, and regular
// expressions between slashes (docs.travis-ci.com, "Building Specific
// Branches").
type Branches struct {
	Only   []string // where there are any, no others are built, and Except counts for nothing
	Except []string
}

// pagesBranch is not built unless Only has it, because of what GitHub makes of it.
const pagesBranch = "gh-pages"

// Include tells whether branch is built. A regular expression that Go has no
// match for, being Ruby's, is taken as one that lets branch be built.
func (b Branches) Include(branch string) bool {
	if len(b.Only) > 0 {
		return slices.ContainsFunc(b.Only, func(p string) bool { return matches(p, branch, true) })
	}
	return branch != pagesBranch && !slices.ContainsFunc(b.Except, func(p string) bool { return matches(p, branch, false) })
}

// matches tells whether a pattern is branch's name or matches it; unknown is
// the answer where the pattern can't be read.
func matches(pattern, branch string, unknown bool) bool {
	rest, is := strings.CutPrefix(pattern, "/")
	end := strings.LastIndexByte(rest, '/')
	if !is || end < 0 {
		return pattern == branch
	}
	expression, flags := rest[:end], rest[end+1:]
	if flags != "" {
		expression = "(?" + flags + ")" + expression
	}
	r, err := regexp.Compile(expression)
	if err != nil {
		return unknown
	}
	return r.MatchString(branch)
}

// readBranches reads `branches`: a mapping with only and except, or, short for
// only, what may stand there.
func readBranches(root *yaml.Node) Branches {
	n := value(root, "branches")
	if n.Kind != yaml.MappingNode {
		return Branches{Only: patterns(n)}
	}
	return Branches{Only: patterns(value(n, "only")), Except: patterns(value(n, "except"))}
}

// patterns reads a list of branches, or a text with one or, between commas,
// several.
func patterns(n *yaml.Node) (list []string) {
	for _, item := range items(n) {
		if item.Kind != yaml.ScalarNode || item.Tag == tagNull {
			continue
		}
		if strings.HasPrefix(item.Value, "/") {
			list = append(list, item.Value) // a comma may be the expression's
			continue
		}
		for name := range strings.SplitSeq(item.Value, ",") {
			if name = strings.TrimSpace(name); name != "" {
				list = append(list, name)
			}
		}
	}
	return list
}
