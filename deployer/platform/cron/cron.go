// Package cron reads the schedules of crontab(5): five fields for minute, hour, day
// of the month, month and day of the week, or a word such as @daily.
package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Schedule is a set of minutes. It is comparable.
type Schedule struct {
	minutes, hours, days, months, weekdays uint64 // bit n is the value n
	anyDay, anyWeekday                     bool
}

// words are schedules that have a name.
var words = map[string]string{ //nolint:gochecknoglobals // a table
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

var (
	monthNames   = strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec") //nolint:gochecknoglobals // a table
	weekdayNames = strings.Fields("sun mon tue wed thu fri sat")                     //nolint:gochecknoglobals // a table
)

// Parse reads a schedule.
func Parse(text string) (Schedule, error) {
	if long, ok := words[strings.ToLower(strings.TrimSpace(text))]; ok {
		text = long
	}
	fields := strings.Fields(text)
	if len(fields) != 5 {
		return Schedule{}, errors.New("want five fields: minute, hour, day of the month, month, day of the week")
	}
	var s Schedule
	for i, f := range []struct {
		name        string
		first, last int
		names       []string
		into        *uint64
	}{
		{"minute", 0, 59, nil, &s.minutes},
		{"hour", 0, 23, nil, &s.hours},
		{"day of the month", 1, 31, nil, &s.days},
		{"month", 1, 12, monthNames, &s.months},
		{"day of the week", 0, 7, weekdayNames, &s.weekdays},
	} {
		for part := range strings.SplitSeq(fields[i], ",") {
			bits, err := parsePart(strings.ToLower(part), f.first, f.last, f.names)
			if err != nil {
				return Schedule{}, fmt.Errorf("%s %q: %w", f.name, fields[i], err)
			}
			*f.into |= bits
		}
	}
	if s.weekdays&(1<<7) != 0 {
		s.weekdays |= 1 // 7 is Sunday too
	}
	s.anyDay, s.anyWeekday = strings.HasPrefix(fields[2], "*"), strings.HasPrefix(fields[4], "*")
	return s, nil
}

// parsePart reads *, N, N-M, each with /STEP.
func parsePart(part string, first, last int, names []string) (bits uint64, err error) {
	span, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			return 0, fmt.Errorf("invalid step %q", stepText)
		}
	}
	from, to := first, last
	if span != "*" {
		low, high, isSpan := strings.Cut(span, "-")
		if from, err = parseValue(low, first, last, names); err != nil {
			return 0, err
		}
		switch {
		case isSpan:
			if to, err = parseValue(high, first, last, names); err != nil {
				return 0, err
			}
		case !stepped:
			to = from
		}
		if from > to {
			return 0, fmt.Errorf("%q ends before it begins", span)
		}
	}
	for n := from; n <= to; n += step {
		bits |= 1 << n
	}
	return bits, nil
}

func parseValue(text string, first, last int, names []string) (int, error) {
	for i, name := range names {
		if text == name {
			return i + first, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < first || n > last {
		return 0, fmt.Errorf("want %d to %d, not %q", first, last, text)
	}
	return n, nil
}

// Matches reports whether a minute is in the schedule. If both the day of the month
// and the day of the week are restricted, one of them must match.
func (s Schedule) Matches(t time.Time) bool {
	has := func(bits uint64, n int) bool { return bits&(1<<n) != 0 }
	if !has(s.minutes, t.Minute()) || !has(s.hours, t.Hour()) || !has(s.months, int(t.Month())) {
		return false
	}
	day, weekday := has(s.days, t.Day()), has(s.weekdays, int(t.Weekday()))
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}
