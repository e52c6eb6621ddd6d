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
	upper := strings.Repeat("aB", 20)
	for _, text := range []string{number(0), "junk", "", number(1), strings.Repeat("0", 40), strings.Repeat("g", 40), strings.Repeat("aB", 32), upper, number(2)} {
		c.Add([]byte(text))
	}
	want := []string{number(9), number(1), number(2), strings.ToLower(upper), number(0)}
	if got := c.List(number(9), number(1)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLongIDsAreListed(t *testing.T) {
	t.Parallel()
	var c Commits
	c.Add([]byte(strings.Repeat("aB", 32)))
	c.Add([]byte(number(1))) // of another repository
	if got := c.List(); !slices.Equal(got, []string{strings.Repeat("ab", 32)}) {
		t.Errorf("got %v", got)
	}
}

func TestTheLastCommitsAreKept(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 7, 8, 9, 33, MaxCommits - 1, MaxCommits, MaxCommits + 1, 3*MaxCommits + 5} {
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
