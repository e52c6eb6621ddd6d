package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// goBenchmark matches a line of go test -bench: the name without the number of
// processors, the time of an operation in ns, and the rest.
var goBenchmark = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(.*)$`)

// allocations matches the allocations of an operation.
var allocations = regexp.MustCompile(`(\d+) allocs/op`)

// result is one line of go test -bench.
type result struct {
	name   string
	nanos  float64
	allocs string
}

// goTest runs benchmarks of this repository, which is the working directory, and
// calls each with every result.
func (s *suite) goTest(ctx context.Context, pkg, pattern string, each func(result)) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", //nolint:gosec // our own tests
		"-benchtime", (s.period / 5).String(), "-count", strconv.Itoa(s.rounds), pkg)
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test %s: %w: %s", pkg, err, out)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		match := goBenchmark.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		nanos, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			return err
		}
		r := result{name: match[1], nanos: nanos}
		if found := allocations.FindStringSubmatch(match[3]); found != nil {
			r.allocs = found[1]
		}
		each(r)
	}
	return nil
}

// measureParse compares what it costs to read, verify and parse a push of GitHub,
// by this repository's packages and by others.
func measureParse(ctx context.Context, s *suite) ([]table, error) {
	tables := []table{
		{area: "parse", title: "A push of GitHub of 7 KB, verified and parsed", unit: "µs"},
		{area: "parse", title: "The same of 1 MB", unit: "µs"},
	}
	err := s.goTest(ctx, "./tests/senders", "^BenchmarkPush$/^github$", func(r result) {
		parts := strings.Split(r.name, "/") // Push/github/SIZE/CONTENDER
		if len(parts) != 4 {
			return
		}
		t := &tables[0]
		if parts[2] != "small" {
			t = &tables[1]
		}
		t.add(parts[3], r.nanos/1000, r.allocs+" allocations")
	})
	return tables, err
}

// add adds a figure to the row of a contender.
func (t *table) add(contender string, figure float64, note string) {
	for i := range t.rows {
		if t.rows[i].contender == contender {
			t.rows[i].figures = append(t.rows[i].figures, figure)
			return
		}
	}
	t.rows = append(t.rows, row{contender: contender, figures: []float64{figure}, note: note})
}
