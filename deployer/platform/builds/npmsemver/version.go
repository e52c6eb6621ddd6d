// Package npmsemver reads versions and ranges of versions as npm does, in its
// loose mode (github.com/npm/node-semver). Ranges are for released versions: one
// with a prerelease never satisfies a range.
package npmsemver

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Version is a released version.
type Version struct{ Major, Minor, Patch int }

var released = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)$`)

// ParseVersion reads a released version such as 20.11.1 or v20.11.1. ok is
// false for anything else, a prerelease included.
func ParseVersion(text string) (v Version, ok bool) {
	m := released.FindStringSubmatch(text)
	if m == nil {
		return Version{}, false
	}
	return Version{number(m[1]), number(m[2]), number(m[3])}, true
}

// number returns the number that digits mean, the largest one if it is larger.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil || n > math.MaxInt32 {
		return math.MaxInt32
	}
	return n
}

// String returns the version as npm writes it.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Compare returns a negative number if v is older than w, a positive one if it
// is newer, and 0 if they are the same.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}
