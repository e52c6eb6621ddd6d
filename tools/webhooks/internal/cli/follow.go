package cli

import (
	"context"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

const (
	// overlap is how far behind the newest line is read again: the
	// lines of several drones do not come in the order of their times.
	overlap = 10 * time.Second
	// page is the number of lines that are read at once, the limit of the platform.
	page = 10_000
	// pageText is the size of a page, in bytes, at which the platform cuts it off.
	pageText = 4 << 20
	// maxPages limits one reading to more than the platform keeps.
	maxPages = 64
)

// reading returns the last n lines of a log between two times, the newest first;
// a zero time means no limit.
type reading func(ctx context.Context, from, until time.Time, n int) ([]nodejitsu.LogLine, error)

// follower reads the new lines of a log, each once. The API has no position in
// the log, so the follower remembers the time of the newest line, and how often
// it has seen each line of the overlap before that: the same line may be written
// twice in a millisecond.
type follower struct {
	read   reading
	newest time.Time
	seen   map[nodejitsu.LogLine]int
}

// last returns the last n lines, the oldest first; next continues there.
func (f *follower) last(ctx context.Context, n int) ([]nodejitsu.LogLine, error) {
	older, err := f.read(ctx, time.Time{}, time.Time{}, max(n, 1))
	if err != nil {
		return nil, err
	}
	for _, line := range older {
		f.newest = later(f.newest, line.Time)
	}
	from := f.from()
	lines, err := f.next(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(older)
	older = slices.DeleteFunc(older, func(l nodejitsu.LogLine) bool { return !l.Time.Before(from) })
	lines = append(older, lines...)
	return lines[max(len(lines)-n, 0):], nil
}

// next returns the lines since the last call, the oldest first.
func (f *follower) next(ctx context.Context) ([]nodejitsu.LogLine, error) {
	lines, err := f.since(ctx, f.from())
	if err != nil {
		return nil, err
	}
	var fresh []nodejitsu.LogLine
	for _, line := range lines {
		f.newest = later(f.newest, line.Time)
		if f.seen[line] > 0 {
			f.seen[line]--
			continue
		}
		fresh = append(fresh, line)
	}
	f.seen = map[nodejitsu.LogLine]int{}
	for _, line := range lines {
		if !line.Time.Before(f.from()) {
			f.seen[line]++
		}
	}
	return fresh, nil
}

func (f *follower) from() time.Time {
	if f.newest.IsZero() {
		return time.Time{}
	}
	return f.newest.Add(-overlap)
}

// since returns all lines from a time on, the oldest first. It reads page by
// page, from the newest to the oldest.
func (f *follower) since(ctx context.Context, from time.Time) ([]nodejitsu.LogLine, error) {
	var lines []nodejitsu.LogLine // the newest first
	var until time.Time
	for range maxPages {
		part, err := f.read(ctx, from, until, page)
		if err != nil {
			return nil, err
		}
		if !full(part) {
			lines = append(lines, part...)
			break
		}
		// The next page may have more lines of the oldest millisecond, so it is read
		// again with them, unless this page has nothing else.
		oldest := slices.MinFunc(part, func(a, b nodejitsu.LogLine) int { return a.Time.Compare(b.Time) }).Time
		whole := slices.DeleteFunc(slices.Clone(part), func(l nodejitsu.LogLine) bool { return l.Time.Equal(oldest) })
		if until = oldest.Add(time.Millisecond - time.Nanosecond); len(whole) == 0 {
			whole, until = part, oldest.Add(-time.Nanosecond)
		}
		lines = append(lines, whole...)
	}
	slices.Reverse(lines)
	return lines, nil
}

// full reports whether a page may have been cut off.
func full(part []nodejitsu.LogLine) bool {
	text := 0
	for _, line := range part {
		text += len(line.Text)
	}
	return len(part) >= page || text >= pageText
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
