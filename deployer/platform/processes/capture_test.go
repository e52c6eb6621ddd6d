package processes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

func TestCaptureTruncatesAndCounts(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	j := &journal{dir: t.TempDir(), limit: 100 << 20}
	c := newCapture("", 1, j, newMask(), func() time.Time { return now })
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
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

// The last lines are written after a flood, within it, and to the other stream
// before the rest of it is read; all are in memory and in the log.
func TestCaptureKeepsLastLines(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	j := &journal{dir: t.TempDir(), limit: 100 << 20}
	c := newCapture("", 1, j, newMask(), func() time.Time { return now })
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
		j.append(s.settle()...)
	}
	lines, failure := j.last(time.Time{}, time.Time{}, 1_000_000)
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
	if err := j.close(); err != nil {
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
		j := &journal{dir: t.TempDir(), limit: 100 << 20}
		c := newCapture("", 1, j, newMask(map[string]string{"API_KEY": secret}), time.Now)
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
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	m := newMask(map[string]string{
		"DB_PASSWORD": "correct horse", "sessionSecret": `quo"ted\n`, "GITHUB_TOKEN": "ghp_1234567890",
		"PRIVATE_KEY":  "-----BEGIN KEY-----\r\nMIIEvQIBADAN\nend\n-----END KEY-----\n",
		"DATABASE_URL": "postgres://app:p%40ss%2Fword@db.internal:5432/app?x=a@b",
		"CACHE":        "redis://:longer-pass@10.0.0.1", "SENTRY_DSN": "https://0123456789abcdef0123@sentry.example/1",
		"REGISTRY": "https://postgres@registry.example", "PIN_KEY": "1234", "NAME": "horse", "GREETING": "hello there",
	}, map[string]string{"REGION_SECRET": "shared by all"})
	for text, want := range map[string]string{
		"using correct horse, a horse":              "using ***, a horse",
		`{"sessionSecret":"quo\"ted\\n"}`:           `{"sessionSecret":"***"}`,
		`quo"ted\n`:                                 "***",
		"token=ghp_1234567890;":                     "token=***;",
		"MIIEvQIBADAN":                              "***",
		`"-----BEGIN KEY-----\r\nMIIEvQIBADAN\n"`:   `"***\r\n***\n"`,
		"postgres://app:p%40ss%2Fword@db.internal":  "postgres://app:***@db.internal",
		"password is p@ss/word":                     "password is ***",
		"redis://:longer-pass@10.0.0.1":             "redis://:***@10.0.0.1",
		"https://0123456789abcdef0123@sentry":       "https://***@sentry",
		"shared by all, hello there":                "***, hello there",
		"1234 postgres":                             "1234 postgres",
		"GET https://u:pw@host/path?m=a@b":          "GET https://u:***@host/path?m=a@b",
		"mongodb://u:a@b:c@h1,h2/db":                "mongodb://u:***@h1,h2/db",
		"http://localhost:3000 by me@example.org":   "http://localhost:3000 by me@example.org",
		`{"at":"http://localhost:3000","by":"a@b"}`: `{"at":"http://localhost:3000","by":"a@b"}`,
		"http://localhost:3000/x@y:z@":              "http://localhost:3000/x@y:z@",
		"":                                          "",
	} {
		if got := m.apply(text); got != want {
			t.Errorf("apply(%q) = %q, want %q", text, got, want)
		}
	}
}
