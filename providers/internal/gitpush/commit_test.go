package gitpush

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// The head of a list is read whole, whatever the order of its fields.
func TestReadList(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	other := `{"id":"` + a + `","message":"other [skip ci]","author":{"name":"x"}}`
	author := `"author":{"name":"n","email":"e"}`
	head := core.Commit{ID: b, Message: "head", Author: core.Person{Name: "n", Email: "e"}}
	for _, c := range []struct {
		why, list, head string
		want            core.Commit
		skips           bool
		ids             []string
	}{
		{"the id first", "[" + other + `,{"id":"` + b + `","message":"head",` + author + "}]", b, head, false, []string{b, a}},
		{"the id last", "[" + other + `,{"message":"head",` + author + `,"id":"` + b + `"}]`, b, head, false, []string{b, a}},
		{"the id between", `[{"message":"head","id":"` + b + `",` + author + "}," + other + "]", b, head, false, []string{a, b}},
		{"another case", `[{"id":"` + strings.ToUpper(b) + `","message":"head",` + author + "}]", b, head, false, []string{b}},
		{"skips CI", `[{"id":"` + b + `","message":"[ci skip]"}]`, b, core.Commit{ID: b, Message: "[ci skip]"}, true, []string{b}},
		{"twice: the first", `[{"id":"` + b + `","message":"head",` + author + `},{"id":"` + b + `","message":"[ci skip]"}]`, b, head, false, []string{b}},
		{"not listed", "[" + other + "]", b, core.Commit{}, false, []string{a}},
		{"no head", "[" + other + `,{"message":"m"},7]`, "", core.Commit{}, false, []string{a}},
		{"no list", `{"id":"` + b + `"}`, b, core.Commit{}, false, nil},
	} {
		s := jsonscan.New([]byte(c.list))
		got := ReadList(s, c.head)
		ids := got.Commits.List()
		slices.Sort(ids)
		ids = slices.Compact(ids)
		slices.Sort(c.ids)
		if err := s.End(); err != nil || got.Head != c.want || got.HeadSkipsCI != c.skips || !slices.Equal(ids, c.ids) {
			t.Errorf("%s: got %+v, skips CI is %t, ids %q, %v", c.why, got.Head, got.HeadSkipsCI, ids, err)
		}
	}
}
