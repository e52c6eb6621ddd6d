package forgehttp

import (
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	t.Parallel()
	exact := strings.Repeat("ä", 140)
	if got := Cut(exact, 140); got != exact {
		t.Errorf("140 characters were cut to %q", got)
	}
	if got, want := Cut(exact+"b", 140), strings.Repeat("ä", 139)+"…"; got != want {
		t.Errorf("141 characters: got %q", got)
	}
	if got, want := Cut("a\xffb", 140), "a\uFFFDb"; got != want {
		t.Errorf("not UTF-8: got %q, want %q", got, want)
	}
}
