package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// journal answers as a platform does: the newest first, no more than it gives at
// once.
type journal struct {
	lines []nodejitsu.LogLine
	most  int
	err   error
}

func (j *journal) write(at time.Time, text string) {
	j.lines = append(j.lines, nodejitsu.LogLine{Time: at.Truncate(time.Millisecond), Text: text})
}

func (j *journal) read(_ context.Context, from, until time.Time, n int) ([]nodejitsu.LogLine, error) {
	if j.err != nil {
		return nil, j.err
	}
	var found []nodejitsu.LogLine
	for _, line := range slices.Backward(j.lines) {
		if !line.Time.Before(from) && (until.IsZero() || !line.Time.After(until)) {
			found = append(found, line)
		}
	}
	slices.SortStableFunc(found, func(a, b nodejitsu.LogLine) int { return b.Time.Compare(a.Time) })
	return found[:min(len(found), n, cmp.Or(j.most, n))], nil
}

func texts(lines []nodejitsu.LogLine) []string {
	var texts []string
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	return texts
}

func TestFollowerTellsEachLineOnce(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 4, 10, 0, 0, 0, time.UTC)
	j := &journal{}
	f := &follower{read: j.read}
	next := func(want ...string) {
		t.Helper()
		lines, err := f.next(t.Context())
		if got := texts(lines); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	for i := range 5 {
		j.write(begin.Add(time.Duration(i)*8*time.Second), fmt.Sprint(i))
	}
	lines, err := f.last(t.Context(), 3)
	if got := texts(lines); err != nil || !slices.Equal(got, []string{"2", "3", "4"}) {
		t.Fatalf("got %q, %v", got, err)
	}
	next()
	now := begin.Add(time.Minute)
	j.write(now, "same")
	j.write(now, "same")
	next("same", "same")
	j.write(now, "same") // the third one of that millisecond
	j.write(now.Add(-5*time.Second), "late")
	next("late", "same")
	next()
	j.err = errors.New("away")
	if _, err := f.next(t.Context()); !errors.Is(err, j.err) {
		t.Errorf("got %v", err)
	}
	j.err = nil
	j.write(now.Add(time.Hour), "meanwhile")
	next("meanwhile")

	// Nothing but what comes from now on.
	f = &follower{read: j.read}
	if lines, err := f.last(t.Context(), 0); err != nil || len(lines) != 0 {
		t.Errorf("got %q, %v", texts(lines), err)
	}
	next()
	j.write(now.Add(time.Hour), "new")
	next("new")

	// A log that is empty at first.
	j = &journal{}
	f = &follower{read: j.read}
	if lines, err := f.last(t.Context(), 10); err != nil || len(lines) != 0 {
		t.Errorf("got %q, %v", texts(lines), err)
	}
	j.write(begin, "first")
	next("first")
	next()
}

// Whatever comes between two looks, in whatever order within the overlap and
// however much, is returned once.
func TestFollowerOfAFlood(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 0))
		begin := time.Date(2026, 11, 4, 10, 0, 0, 0, time.UTC)
		j := &journal{}
		f := &follower{read: j.read}
		now, written, returned := begin, map[string]int{}, map[string]int{}
		tell := func(lines []nodejitsu.LogLine, err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range lines {
				returned[line.Text]++
			}
		}
		tell(f.last(t.Context(), 0))
		for range 8 {
			burst := random.IntN(50)
			if random.IntN(4) == 0 {
				burst = 5_000 + random.IntN(8_000)
			}
			for range burst {
				text := fmt.Sprint("line ", random.IntN(3000))
				written[text]++
				j.write(now.Add(-time.Duration(random.IntN(int(overlap/2)))), text)
				if random.IntN(3) == 0 {
					now = now.Add(time.Millisecond)
				}
			}
			tell(f.next(t.Context()))
			now = now.Add(time.Duration(random.IntN(int(3 * time.Second))))
		}
		for text, n := range written {
			if returned[text] != n {
				t.Fatalf("seed %d: %q was written %d times and returned %d times", seed, text, n, returned[text])
			}
		}
	}
}

// A page that the platform cuts off by its bytes has fewer lines.
func TestFollowerOfLongLines(t *testing.T) {
	t.Parallel()
	j := &journal{most: 80}
	f := &follower{read: j.read}
	begin := time.Date(2026, 11, 4, 10, 0, 0, 0, time.UTC)
	if _, err := f.last(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		j.write(begin.Add(time.Duration(i/10)*time.Millisecond), fmt.Sprintf("%064000d", i))
	}
	lines, err := f.next(t.Context())
	if err != nil || len(lines) != 300 || lines[0].Text >= lines[299].Text {
		t.Errorf("got %d lines, %v", len(lines), err)
	}
}
