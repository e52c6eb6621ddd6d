package applog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

func write(j *Journal, from, to int) {
	for i := from; i < to; i++ {
		j.Append(runner.Line{Time: time.Unix(int64(i), 0).UTC(), Drone: 1, Stream: runner.Stdout, Text: fmt.Sprintf("line %d", i)})
	}
}

func texts(t *testing.T, j *Journal, rows int) []string {
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

func TestJournalRotates(t *testing.T) {
	t.Parallel()
	j := &Journal{dir: filepath.Join(t.TempDir(), "log"), limit: 1000}
	write(j, 0, 1000)
	files, err := os.ReadDir(j.dir)
	if err != nil || len(files) != journalKept {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Size() > 1000 {
			t.Errorf("%s has %d bytes, %v", file.Name(), info.Size(), err)
		}
	}
	all := texts(t, j, 1_000_000)
	if len(all) < 30 || len(all) > 100 {
		t.Errorf("%d lines are kept", len(all))
	}
	for i, text := range all {
		if want := fmt.Sprintf("line %d", 1000-len(all)+i); text != want {
			t.Fatalf("line %d is %q, want %q", i, text, want)
		}
	}
	some, err := j.Last(time.Unix(990, 0), time.Unix(992, 0), 100)
	if err != nil || len(some) != 3 || some[0].Text != "line 990" || some[2].Text != "line 992" {
		t.Errorf("between: %v, %v", some, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	write(j, 1000, 1001)
	if got := texts(t, j, 2); len(got) != 2 || got[1] != "line 1000" {
		t.Errorf("after a close: %v", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestJournalAfterIncompleteLine(t *testing.T) {
	t.Parallel()
	j := &Journal{dir: t.TempDir(), limit: 1 << 20}
	write(j, 0, 2)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(j.path(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.path(0), text[:len(text)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	write(j, 2, 3)
	if got := strings.Join(texts(t, j, 10), ","); got != "line 0,line 2" {
		t.Errorf("lines %s", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestJournalReportsDroppedLines(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // instead of the folder
		t.Fatal(err)
	}
	j := &Journal{dir: dir, limit: 1 << 20}
	write(j, 0, 3)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	write(j, 3, 4)
	if got := strings.Join(texts(t, j, 10), ","); got != "3 lines dropped, as they could not be written,line 3" {
		t.Errorf("lines %s", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
