package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/cron"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ schedule, yes, no string }{
		{"* * * * *", "2026-11-28 01:02", ""},
		{"*/15 * * * *", "2026-11-28 01:45", "2026-11-28 01:46"},
		{"5/20 * * * *", "2026-11-28 01:45", "2026-11-28 01:40"},
		{"0 3 * * *", "2026-11-28 03:00", "2026-11-28 03:01"},
		{"30 8-10,20 * * *", "2026-11-28 20:30", "2026-11-28 11:30"},
		{"0 0 1 jan *", "2026-01-01 00:00", "2026-02-01 00:00"},
		{"0 0 * * mon-fri", "2026-11-27 00:00", "2026-11-28 00:00"},
		{"0 0 * * 7", "2026-11-29 00:00", "2026-11-28 00:00"},
		{"0 0 * * SUN", "2026-11-29 00:00", "2026-11-28 00:00"},
		{"0 0 13 * 5", "2026-11-27 00:00", "2026-11-28 00:00"}, // a Friday, or the 13th
		{"0 0 13 * 5", "2026-12-13 00:00", "2026-12-14 00:00"},
		{"0 0 */2 * 5", "2026-11-27 00:00", "2026-11-29 00:00"}, // both, as one begins with *
		{"@daily", "2026-11-28 00:00", "2026-11-28 00:01"},
		{" @Hourly ", "2026-11-28 05:00", "2026-11-28 05:01"},
		{"@weekly", "2026-11-29 00:00", "2026-11-30 00:00"},
		{"@monthly", "2026-11-01 00:00", "2026-11-02 00:00"},
		{"@yearly", "2026-01-01 00:00", "2026-02-01 00:00"},
	} {
		s, err := cron.Parse(test.schedule)
		if err != nil {
			t.Errorf("%q: %v", test.schedule, err)
			continue
		}
		for at, want := range map[string]bool{test.yes: true, test.no: false} {
			if at == "" {
				continue
			}
			minute, err := time.Parse("2006-01-02 15:04", at)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Matches(minute); got != want {
				t.Errorf("%q matches %s: %v", test.schedule, at, got)
			}
		}
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	for schedule, want := range map[string]string{
		"": "five fields", "* * * *": "five fields", "* * * * * *": "five fields", "@often": "five fields",
		"60 * * * *": "minute", "* 24 * * *": "hour", "* * 0 * *": "day of the month", "* * * 13 *": "month", "* * * * 8": "day of the week",
		"a * * * *": "minute", "*/0 * * * *": "invalid step", "*/x * * * *": "invalid step", "5-1 * * * *": "ends before it begins",
		"-1 * * * *": "minute", "1,,2 * * * *": "minute", "* * * * moon": "day of the week",
	} {
		if _, err := cron.Parse(schedule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", schedule, err, want)
		}
	}
}
