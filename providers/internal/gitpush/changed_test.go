package gitpush

import (
	"strings"
	"testing"
)

func TestChanged(t *testing.T) {
	t.Parallel()
	const (
		a, b = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
		zero = "0000000000000000000000000000000000000000"
		head = `{"ref":"refs/heads/main","before":"` + a + `","after":"` + b + `",`
		docs = `{"id":"` + b + `","added":[],"removed":["docs/old.md"],"modified":["docs/a.md"]}`
		code = `{"id":"` + b + `","added":["lib/a.js"],"removed":[],"modified":[]}`
	)
	for name, c := range map[string]struct {
		text, total       string
		changed, complete bool
	}{
		"another file":           {head + `"commits":[` + docs + `]}`, "", false, true},
		"a wanted file":          {head + `"commits":[` + docs + `,` + code + `]}`, "", true, true},
		"forced":                 {head + `"forced":true,"commits":[` + docs + `]}`, "", false, false},
		"a new branch":           {`{"before":"` + zero + `","after":"` + b + `","created":true,"commits":[` + docs + `]}`, "", false, false},
		"no commit before":       {`{"before":"` + zero + `","after":"` + b + `","commits":[` + docs + `]}`, "", false, false},
		"no commits":             {head + `"commits":[]}`, "", false, false},
		"a commit without files": {head + `"commits":[{"id":"` + b + `"},` + docs + `]}`, "", false, false},
		"all counted":            {head + `"total":1,"commits":[` + docs + `]}`, "total", false, true},
		"more counted":           {head + `"total":2,"commits":[` + docs + `]}`, "total", false, false},
		"not counted":            {head + `"commits":[` + docs + `]}`, "total", false, false},
		"too many commits":       {head + `"commits":[` + strings.Repeat(docs+",", 2047) + docs + `]}`, "", false, false},
		"too many files":         {head + `"commits":[{"added":[` + strings.Repeat(`"a",`, 2999) + `"a"]}]}`, "", false, false},
		"damaged":                {head + `"commits":[` + docs, "", false, false},
		"other types":            {`{"before":1,"after":[],"commits":{"added":["lib/a"]}}`, "", false, false},
	} {
		changed, complete := Changed([]byte(c.text), c.total, func(file string) bool { return strings.HasPrefix(file, "lib/") })
		if changed != c.changed || complete != c.complete {
			t.Errorf("%s: got changed %t, complete %t", name, changed, complete)
		}
	}
}
