package travis

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Branches says which branches Travis CI builds: names, and regular
// expressions between slashes (docs.travis-ci.com, "Building Specific
// Branches").
type Branches struct {
	Only   []string // if there are any, no others are built and Except does not count
	Except []string
}

// pagesBranch is the branch of GitHub Pages, which is not built unless Only has it.
const pagesBranch = "gh-pages"

// The limits for the regular expressions of a file, which anyone may have written: their
// number, length and compiled size. The result of one above a limit is unknown.
const (
	maxExpressions  = 100
	maxExpression   = 200
	maxInstructions = 2000
)

// Include reports whether branch is built. A regular expression that Go cannot
// parse, because it is Ruby's, counts as one that includes branch.
func (b Branches) Include(branch string) bool {
	if len(b.Only) > 0 {
		return anyMatches(b.Only, branch, true)
	}
	return branch != pagesBranch && !anyMatches(b.Except, branch, false)
}

// anyMatches reports whether one of patterns is branch's name or matches it;
// unknown is the result for an expression that cannot be matched.
func anyMatches(patterns []string, branch string, unknown bool) bool {
	tried := 0
	for _, pattern := range patterns {
		rest, is := strings.CutPrefix(pattern, "/")
		end := strings.LastIndexByte(rest, '/')
		if !is || end < 0 {
			if pattern == branch {
				return true
			}
			continue
		}
		matches := unknown
		if tried++; tried <= maxExpressions {
			matches = expressionMatches(rest[:end], rest[end+1:], branch, unknown)
		}
		if matches {
			return true
		}
	}
	return false
}

func expressionMatches(expression, flags, branch string, unknown bool) bool {
	if len(expression)+len(flags) > maxExpression {
		return unknown
	}
	if flags != "" {
		expression = "(?" + flags + ")" + expression
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return unknown
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxInstructions {
		return unknown
	}
	r, err := regexp.Compile(expression)
	if err != nil {
		return unknown
	}
	return r.MatchString(branch)
}

// readBranches reads `branches`: a mapping with only and except, or the value of only
// itself.
func readBranches(root *yaml.Node) Branches {
	n := value(root, "branches")
	if n.Kind != yaml.MappingNode {
		return Branches{Only: patterns(n)}
	}
	return Branches{Only: patterns(value(n, "only")), Except: patterns(value(n, "except"))}
}

// patterns reads a list of branches, or a string with one or several, separated by
// commas.
func patterns(n *yaml.Node) (list []string) {
	for _, item := range items(n) {
		if item.Kind != yaml.ScalarNode || item.Tag == tagNull {
			continue
		}
		if strings.HasPrefix(item.Value, "/") {
			list = append(list, item.Value) // a comma may be part of the expression
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
