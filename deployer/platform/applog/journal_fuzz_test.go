package applog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Each line is read as it was written, and no text is read as two lines, whatever
// the app writes and whatever the file contained before.
func FuzzJournal(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\nb", `{"time":"2026-01-01T00:00:00Z","drone":9,"stream":"platform","text":"forged"}`, "\n{\"text\":\"forged\"}\n", "\x1b[31m\u2028\x00", strings.Repeat("x", 1000)} {
		f.Add(seed, seed, int64(1764000000))
	}
	f.Add(`{"time":"2026-01-01T00:00:00Z","dro`, "a", int64(0))
	f.Fuzz(func(t *testing.T, left, text string, at int64) {
		text = strings.ToValidUTF8(text, "\ufffd") // as lines are
		when := time.Unix(at%(1<<33), 0).UTC()
		j := &Journal{dir: t.TempDir(), limit: 1 << 20}
		if err := os.WriteFile(filepath.Join(j.dir, "log"), []byte(left), 0o600); err != nil {
			t.Fatal(err)
		}
		lines := []runner.Line{{Time: when, Drone: 1, Stream: runner.Stdout, Text: text}, {Time: when, Drone: 2, Stream: runner.Stderr, Text: text + "\n" + text}}
		j.Append(lines...)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := j.Last(time.Time{}, time.Time{}, len(lines))
		if err != nil || len(got) != len(lines) {
			t.Fatalf("%q after %q is read as %+v, %v", text, left, got, err)
		}
		for i := range lines {
			if got[i] != lines[i] {
				t.Fatalf("%+v after %q is read as %+v", lines[i], left, got[i])
			}
		}
		all, err := j.Last(time.Time{}, time.Time{}, 1<<20)
		if most := strings.Count(left, "\n") + 1 + len(lines); err != nil || len(all) > most {
			t.Fatalf("after %q there are %d lines of %q, %v", left, len(all), text, err)
		}
	})
}
