package gitpush

import (
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// The sizes from which on a payload does not list everything: GitHub lists at most
// 2048 commits of a push and 3000 files of a commit (docs.github.com, "Webhook events
// and payloads", push).
const (
	listedCommits = 2048
	listedFiles   = 3000
)

// Changed reports whether one of the commits that a push lists changes a file for
// which match is true. complete is false if the push may change files that it does
// not list: that of a new or forced branch, or one with too many commits.
//
// total is the name of the field that counts all commits of the push; "" if the sender
// has no such field, as GitHub has none.
func Changed(text []byte, total string, match func(file string) bool) (changed, complete bool) {
	s := jsonscan.New(text)
	var before, after string
	commits, files := 0, 0
	all := int64(-1)
	partial := false
	wanted := []string{"before", "after", "created", "forced", "commits"}
	if total != "" {
		wanted = append(wanted, total)
	}
	for key := range s.Object(wanted...) {
		switch key {
		case "before":
			before = s.Text()
		case "after":
			after = s.Text()
		case "created", "forced":
			partial = s.Bool() || partial
		case "commits":
			for range s.Array() {
				commits, files = commits+1, 0
				for range s.Object("added", "removed", "modified") {
					for range s.Array() {
						files++
						changed = match(s.Text()) || changed
					}
				}
				partial = partial || files == 0 || files >= listedFiles
			}
		default:
			all, _ = s.Int()
		}
	}
	switch {
	case s.End() != nil, partial, commits == 0, commits >= listedCommits, total != "" && all != int64(commits):
		return changed, false
	}
	return changed, core.ValidCommit(strings.ToLower(before)) && core.ValidCommit(strings.ToLower(after))
}
