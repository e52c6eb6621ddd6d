package processes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

func TestCaptureTruncatesAndCounts(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	j := applog.New(t.TempDir())
	c := newCapture("", 1, j, applog.NewMask(), func() time.Time { return now })
	s := c.source(runner.Stdout, nil)
	line := s.add([]byte(strings.Repeat("é", maxLine)), nil)
	line = s.add([]byte("tail\nnext\nbegun"), line)
	if string(line) != "begun" {
		t.Errorf("got unfinished line %q, want begun", line)
	}
	got := texts(t, j, 10)
	if len(got) != 2 || got[0] != strings.Repeat("é", maxLine/2) || got[1] != "next" {
		t.Errorf("%d lines, the first of %d bytes", len(got), len(got[0]))
	}
	// Without time passing, at most a burst is written; a second later lines are
	// written again, and the number of dropped lines is logged.
	flood := []byte(strings.Repeat("x\n", 3*linesBurst))
	line = s.add(flood, line)
	line = s.add(flood, line)
	if n := len(texts(t, j, 1_000_000)); n > linesBurst+2 || n < linesBurst-2 {
		t.Errorf("%d lines were written at once", n)
	}
	if n := s.dropped; n < 5*linesBurst-2 || n > 5*linesBurst+2 {
		t.Errorf("%d lines were dropped", n)
	}
	now = now.Add(time.Second)
	s.add([]byte("after\n"), line)
	got = texts(t, j, 2)
	if len(got) != 2 || !strings.HasSuffix(got[0], "lines dropped, as they came too fast") || got[1] != "after" {
		t.Errorf("last lines %q", got)
	}
	if tail := c.last(); len(tail) != tailLines || tail[tailLines-1].Text != "after" {
		t.Errorf("%d lines in memory", len(tail))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// The last lines are written after a flood, within it, and to the other stream
// before the rest of it is read; all are in memory and in the log.
func TestCaptureKeepsLastLines(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	j := applog.New(t.TempDir())
	c := newCapture("", 1, j, applog.NewMask(), func() time.Time { return now })
	out, err := c.source(runner.Stdout, nil), c.source(runner.Stderr, nil)
	flood := []byte(strings.Repeat("noise\n", 100_000))
	rest := out.add(flood, nil)
	rest = out.add([]byte("half"), rest)
	err.add([]byte("FATAL: no database\n"), nil)
	rest = out.add(append([]byte(" a line\nin\n"), flood[:len("noise\n")*10]...), rest)
	for i := range 5 {
		rest = out.add(fmt.Appendf(nil, "word %d\n", i), rest)
	}
	last := linesOf(c.last())
	if len(last) != tailLines {
		t.Errorf("%d lines in memory", len(last))
	}
	for _, want := range []string{"stderr FATAL: no database", "stdout half a line", "stdout word 4"} {
		if !strings.Contains(strings.Join(last, "\n"), want+"\n") && last[len(last)-1] != want {
			t.Errorf("%q is missing in memory: %q", want, last)
		}
	}
	for _, s := range []*source{out, err} {
		j.Append(s.settle()...)
	}
	lines, failure := j.Last(time.Time{}, time.Time{}, 1_000_000)
	if failure != nil {
		t.Fatal(failure)
	}
	logged := linesOf(lines)
	// The lines before the first dropped one, FATAL, the number of dropped lines, and
	// the newest lines.
	if n := linesBurst + 1 + 1 + tailLines; len(logged) != n {
		t.Errorf("%d lines in the log, want %d", len(logged), n)
	}
	lost := fmt.Sprintf("platform %d lines dropped, as they came too fast", 100_000+2+10+5-linesBurst-tailLines)
	if got := logged[linesBurst : linesBurst+2]; got[0] != "stderr FATAL: no database" || got[1] != lost {
		t.Errorf("after the burst got %q, want %q", got, lost)
	}
	if got := logged[len(logged)-1]; got != "stdout word 4" {
		t.Errorf("the log ends with %q", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func linesOf(lines []runner.Line) []string {
	var found []string
	for _, line := range lines {
		found = append(found, string(line.Stream)+" "+line.Text)
	}
	return found
}

// A secret is masked even if it is split between reads or at the maximum length of
// a line.
func TestCaptureMasksSplitSecrets(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-v4lue-15"
	text := []byte("before " + secret + " after " + secret + "\n" + strings.Repeat("x", maxLine-5) + secret + "y\n")
	for size := 1; size < 40; size++ {
		j := applog.New(t.TempDir())
		c := newCapture("", 1, j, applog.NewMask(map[string]string{"API_KEY": secret}), time.Now)
		s := c.source(runner.Stdout, nil)
		var line []byte
		for rest := text; len(rest) > 0; {
			n := min(size, len(rest))
			if len(rest) > 100 && len(rest) < len(text)-100 {
				n = min(1000*size, len(rest)-50)
			}
			line, rest = s.add(rest[:n], line), rest[n:]
		}
		want := []string{"before *** after ***", strings.Repeat("x", maxLine-5) + "***y"}
		got := texts(t, j, 10)
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("in pieces of %d: %d lines, %.50q, …%q", size, len(got), got[0], got[1][max(0, len(got[1])-20):])
		}
		if tail := c.last(); len(tail) != 2 || tail[0].Text != want[0] {
			t.Errorf("in pieces of %d in memory: %v", size, tail[0])
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// texts returns the last rows lines of a log.
func texts(t *testing.T, j *applog.Journal, rows int) []string {
	t.Helper()
	lines, err := j.Last(time.Time{}, time.Time{}, rows)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	return texts
}
