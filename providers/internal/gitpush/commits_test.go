package gitpush

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func number(i int) string { return fmt.Sprintf("%040x", i+1) }

func TestCommitsAreListedFromTheNewest(t *testing.T) {
	t.Parallel()
	var c Commits
	if got := c.List("", number(7), "", number(7)); !slices.Equal(got, []string{number(7)}) {
		t.Errorf("without collected ids: %v", got)
	}
	long := strings.Repeat("aB", 32)
	for _, text := range []string{number(0), "junk", "", number(1), strings.Repeat("0", 40), strings.Repeat("g", 40), long, number(2)} {
		c.Add([]byte(text))
	}
	want := []string{number(9), number(1), number(2), strings.ToLower(long), number(0)}
	if got := c.List(number(9), number(1)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheLastCommitsAreKept(t *testing.T) {
	t.Parallel()
	for _, n := range []int{MaxCommits - 1, MaxCommits, MaxCommits + 1, 3*MaxCommits + 5} {
		var c Commits
		for i := range n {
			c.Add([]byte(number(i)))
		}
		got := c.List(number(n))
		if want := min(n+1, MaxCommits); len(got) != want {
			t.Fatalf("%d commits: %d are kept, want %d", n, len(got), want)
		}
		for i, id := range got {
			if want := number(n - i); id != want {
				t.Fatalf("%d commits: number %d is %s, want %s", n, i, id, want)
			}
		}
	}
}
