package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goBenchmark matches a line of go test -bench: the name without the number of
// processors, the time of an operation in ns, and the rest.
var goBenchmark = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(.*)$`)

// allocations matches the allocations of an operation, and packedSize the size of what
// it made in terms of another.
var (
	allocations = regexp.MustCompile(`(\d+) allocs/op`)
	packedSize  = regexp.MustCompile(`([\d.]+) size`)
)

// result is one line of go test -bench.
type result struct {
	name   string
	nanos  float64
	allocs string
	size   string
}

// goTest runs benchmarks of this repository, which is the working directory, and
// calls each with every result.
func (s *suite) goTest(ctx context.Context, pkg, pattern string, each func(result)) error {
	return s.goTestFor(ctx, (s.period / 5).String(), pkg, pattern, each)
}

// goTestFor is goTest with the time, or the number of operations, of each benchmark.
func (s *suite) goTestFor(ctx context.Context, benchtime, pkg, pattern string, each func(result)) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", //nolint:gosec // our own tests
		"-benchtime", benchtime, "-count", strconv.Itoa(s.rounds), pkg)
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
		if found := packedSize.FindStringSubmatch(match[3]); found != nil {
			r.size = found[1]
		}
		each(r)
	}
	return nil
}

// measureParse compares what it costs to read, verify and parse the deliveries of each
// sender, by this repository's packages and by others.
func measureParse(ctx context.Context, s *suite) ([]table, error) {
	var tables []table
	err := s.goTest(ctx, "./tests/senders", "^Benchmark(Push|Event)$", func(r result) {
		parts := strings.Split(r.name, "/") // Push/SENDER/SIZE/CONTENDER or Event/EVENT/CONTENDER
		last := len(parts) - 1
		title := strings.ReplaceAll(strings.Join(parts[1:last], " "), "_", " ") + ", verified and parsed"
		if parts[0] == "Push" {
			title = "A push of " + title
		} else {
			title = "The event " + title
		}
		i := slices.IndexFunc(tables, func(t table) bool { return t.title == title })
		if i < 0 {
			i = len(tables)
			tables = append(tables, table{area: "parse", title: title, unit: "µs"})
		}
		tables[i].add(parts[last], r.nanos/1000, r.allocs+" allocations")
	})
	return tables, err
}

// measureRepack compares ways to bring the archive of a commit to the platform.
func measureRepack(ctx context.Context, s *suite) ([]table, error) {
	t := table{area: "repack", title: "An archive of 150 MB, the sources of Go, repacked", unit: "ms"}
	err := s.goTest(ctx, "./tools/webhooks/internal/app", "^BenchmarkRepack$", func(r result) {
		name, note := strings.ReplaceAll(strings.TrimPrefix(r.name, "Repack/"), "_", " "), ""
		if r.size != "0" {
			note = r.size + " of the size"
		}
		t.add(name, r.nanos/1e6, note)
	})
	return []table{t}, err
}

// measureLanes compares pushes into a lane in which others wait with those into an
// empty one.
func (s *suite) measureLanes(ctx context.Context) (table, error) {
	t := table{area: "entries", title: "A push into a lane where others wait, and the claim and the end of the first one", unit: "µs"}
	for _, store := range []string{"bolt", "redis"} {
		err := s.goTestFor(ctx, "2000x", "./adapters/"+store, "^BenchmarkLane$", func(r result) {
			_, waiting, _ := strings.Cut(r.name, "waiting=")
			t.add(store+", "+waiting+" wait", r.nanos/1000, "")
		})
		if err != nil {
			return t, err
		}
	}
	return t, nil
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
