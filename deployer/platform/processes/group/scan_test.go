package group

import (
	"os"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	fields := " 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 8675309 1 1\n"
	for text, want := range map[string]process{
		"7 (node) S 3 5 5" + fields:                                                {pid: 7, parent: 3, group: 5, session: 5, start: 8675309},
		"7 (a) Z 9 9 (b) c) Z 3 5 5" + fields:                                      {pid: 7, parent: 3, group: 5, session: 5, start: 8675309, zombie: true},
		"7 () X 1 0 0" + fields:                                                    {pid: 7, parent: 1, zombie: true, start: 8675309},
		"7 (new\nline) D 2 4294 4294" + fields:                                     {pid: 7, parent: 2, group: 4294, session: 4294, start: 8675309},
		"7 (first) Z 3 5 5" + strings.Replace(fields, " 20 0 1 0", " 20 0 2 0", 1): {pid: 7, parent: 3, group: 5, session: 5, start: 8675309},
	} {
		if got, ok := parseStat(7, []byte(text)); !ok || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "7", "7 (node", "7 (node) S 3", "7 (node) S x 5 5" + fields, "7 (node) S 3 x 5" + fields, "7 (node) S 3 5 x" + fields} {
		if got, ok := parseStat(7, []byte(text)); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestScanFindsUs(t *testing.T) {
	t.Parallel()
	table, err := scan()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table {
		if p.pid == os.Getpid() {
			if p.parent != os.Getppid() || p.zombie {
				t.Errorf("%+v, want the parent %d", p, os.Getppid())
			}
			return
		}
	}
	t.Error("the test itself is not in the table")
}
