package group

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever a process calls itself, what the kernel says of it is read.
func FuzzParseStat(f *testing.F) {
	for _, name := range []string{"node", "", "a) Z 9 9 9", "(((", ") S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 8 1 1", "new\nline", "\xff\x00", strings.Repeat(")", 15)} {
		f.Add(name, "S", 3, 5, 5, uint64(8675309))
	}
	f.Add("x", "Z", 0, -1, 0, uint64(0))
	f.Fuzz(func(t *testing.T, name, state string, parent, group, session int, start uint64) {
		parseStat(1, []byte(name)) // must not panic
		if len(strings.Fields(state)) != 1 || strings.TrimSpace(state) != state || strings.Contains(state, ")") {
			return
		}
		text := fmt.Sprintf("7 (%s) %s %d %d %d 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 %d 1 1\n", name, state, parent, group, session, start)
		want := process{pid: 7, parent: parent, group: group, session: session, start: start, zombie: state == "Z" || state == "X"}
		if got, ok := parseStat(7, []byte(text)); !ok || got != want {
			t.Fatalf("%q: %+v, %v, want %+v", text, got, ok, want)
		}
	})
}
