package npmsemver

import (
	"fmt"
	"regexp"
	"strings"
)

// Range is a set of versions. Its zero value has none.
type Range struct{ any [][]comparator } // one of them, of which all hold

// comparator is a bound of a range.
type comparator struct {
	from, below Version // from <= v < below
}

// The parts of a range. An x-range such as 1.2.x is a version of which parts
// may be missing.
const (
	part       = `(\d+|[xX*])`
	prerelease = `(?:-?((?:\d*[a-zA-Z-][0-9A-Za-z-]*|\d+)(?:\.(?:\d*[a-zA-Z-][0-9A-Za-z-]*|\d+))*))?`
	xRange     = `[v=\s]*` + part + `(?:\.` + part + `(?:\.` + part + prerelease + `)?)?`
)

var (
	spaces    = regexp.MustCompile(`\s+`)
	build     = regexp.MustCompile(`\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*`)
	hyphen    = regexp.MustCompile(`^\s*` + xRange + `\s+-\s+` + xRange + `\s*$`)
	afterSign = regexp.MustCompile(`(\s*)([<>]?=?)\s*(` + xRange + `)`)
	afterMark = regexp.MustCompile(`(~>?|\^)\s+`)
	simple    = regexp.MustCompile(`^(\^|~>?|[<>]?=?)\s*` + xRange + `$`)
)

// ParseRange reads a range. It fails if nothing of it means anything to npm.
func ParseRange(text string) (Range, error) {
	text = spaces.ReplaceAllString(strings.TrimSpace(text), " ")
	var r Range
	for alternative := range strings.SplitSeq(text, "||") {
		if all, ok := parseAlternative(strings.TrimSpace(alternative)); ok {
			r.any = append(r.any, all)
		}
	}
	if r.any == nil {
		return Range{}, fmt.Errorf("%.100q is not a range of versions", text)
	}
	return r, nil
}

// Any returns the range of all versions.
func Any() Range { return Range{[][]comparator{{}}} }

// Contains reports whether a version is in the range.
func (r Range) Contains(v Version) bool {
	for _, all := range r.any {
		in := true
		for _, c := range all {
			in = in && v.Compare(c.from) >= 0 && v.Compare(c.below) < 0
		}
		if in {
			return true
		}
	}
	return false
}

// xVersion is a version of which parts may be missing.
type xVersion struct {
	Version
	known int // how many parts there are
	pre   bool
	bad   bool // npm ignores it
}

// maxDigits is how many digits a number has at most that JavaScript counts with.
const maxDigits = 16

func parseX(parts []string) xVersion {
	var x xVersion
	numbers := [3]int{}
	missing := false
	for i, text := range parts[:3] {
		if text == "" {
			break
		}
		if strings.ContainsAny(text, "xX*") {
			missing = true
			continue
		}
		x.bad = x.bad || missing || len(text) > maxDigits
		if !missing {
			numbers[i] = number(text)
			x.known = i + 1
		}
	}
	x.Version = Version{numbers[0], numbers[1], numbers[2]}
	x.pre = x.known == 3 && parts[3] != ""
	return x
}

// next returns the first version after all that begin with the first n parts.
func (v Version) next(n int) Version {
	switch n {
	case 1:
		return Version{v.Major + 1, 0, 0}
	case 2:
		return Version{v.Major, v.Minor + 1, 0}
	}
	return Version{v.Major, v.Minor, v.Patch + 1}
}

func atLeast(v Version) comparator          { return comparator{v, end()} }
func lower(v Version) comparator            { return comparator{Version{}, v} }
func within(from, below Version) comparator { return comparator{from, below} }
func everything() comparator                { return comparator{Version{}, end()} }
func nothing() comparator                   { return comparator{} }

// end is above all versions.
func end() Version { return Version{1 << 40, 0, 0} }

func parseAlternative(text string) ([]comparator, bool) {
	text = build.ReplaceAllString(text, "")
	if text == "" {
		return []comparator{everything()}, true
	}
	if m := hyphen.FindStringSubmatch(text); m != nil {
		from, to := parseX(m[1:5]), parseX(m[5:9])
		return []comparator{sign(">=", from), sign("<=", to)}, true
	}
	text = afterSign.ReplaceAllString(text, "$1$2$3")
	text = afterMark.ReplaceAllString(text, "$1")
	var all []comparator
	for field := range strings.FieldsSeq(text) {
		// What npm can't read is ignored, as long as something is left.
		if m := simple.FindStringSubmatch(field); m != nil {
			x := parseX(m[2:6])
			if c, ok := parseComparator(m[1], x); ok {
				all = append(all, c)
			}
		}
	}
	return all, all != nil
}

func parseComparator(op string, x xVersion) (comparator, bool) {
	switch op {
	case "^":
		return caret(x), true
	case "~", "~>":
		if x.known == 0 {
			return everything(), true
		}
		return within(x.Version, x.next(min(x.known, 2))), true
	}
	if x.bad {
		return comparator{}, false
	}
	return sign(op, x), true
}

func caret(x xVersion) comparator {
	switch {
	case x.known == 0:
		return everything()
	case x.known == 1 || x.Major > 0:
		return within(x.Version, x.next(1))
	case x.known == 2 || x.Minor > 0:
		return within(x.Version, x.next(2))
	}
	return within(x.Version, x.next(3))
}

// sign returns the comparator of an operator and a version.
func sign(op string, x xVersion) comparator {
	if x.known == 0 {
		if op == ">" || op == "<" {
			return nothing()
		}
		return everything()
	}
	// Of releases, what is after a prerelease is at least its version.
	switch op {
	case ">=":
		return atLeast(x.Version)
	case "<":
		return lower(x.Version)
	case ">":
		if x.pre {
			return atLeast(x.Version)
		}
		return atLeast(x.next(x.known))
	case "<=":
		if x.pre {
			return lower(x.Version)
		}
		return lower(x.next(x.known))
	}
	if x.pre {
		return nothing()
	}
	return within(x.Version, x.next(x.known))
}
