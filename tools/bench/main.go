// Bench measures webhooks beside its peers and beside floors: programs that do
// only what no server of the kind can leave out. The contenders of an area run
// in turn, several times, on this machine's loopback; what counts is the ratio
// of their medians, as absolute figures differ from machine to machine.
//
// It is run by tools/bench.sh, which installs and builds what it needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const usage = `bench measures webhooks beside its peers and beside floors, on loopback.

Usage:
  bench [flags] [AREA…]
  bench floor NAME [REDIS]  serve one of the floors until interrupted
  bench platform DIR ADDR   serve a platform whose apps are all at ADDR

Areas (all of them by default):
%s
Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) >= 2 && args[0] == "floor" {
		if err := serveFloor(ctx, args[1], args[2:], stdout); err != nil {
			_, _ = fmt.Fprintf(stderr, "bench: %v\n", err)
			return 1
		}
		return 0
	}
	if len(args) > 0 && args[0] == "platform" {
		if err := servePlatform(ctx, args[1:], stdout); err != nil {
			_, _ = fmt.Fprintf(stderr, "bench: %v\n", err)
			return 1
		}
		return 0
	}
	s := &suite{stdout: stdout, stderr: stderr, rounds: 3, period: 5 * time.Second}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		var list strings.Builder
		for _, a := range areas() {
			_, _ = fmt.Fprintf(&list, "  %-10s %s\n", a.name, a.about)
		}
		_, _ = fmt.Fprintf(stderr, usage, list.String())
		flags.PrintDefaults()
	}
	quick := flags.Bool("quick", false, "one short round of each, for a first look; about 3 minutes")
	page := flags.String("page", "", "the Markdown page to write the tables into, between its markers; none if empty")
	flags.StringVar(&s.program, "program", "webhooks", "the built program")
	flags.DurationVar(&s.limit, "limit", 20*time.Minute, "when to stop, with what was measured until then")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *quick {
		s.rounds, s.period, s.limit = 1, 2*time.Second, 3*time.Minute
	}
	if err := s.run(ctx, flags.Args(), *page); err != nil {
		_, _ = fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
	return 0
}

// suite is one run of the benchmark.
type suite struct {
	program string
	rounds  int
	period  time.Duration // of load, for each contender and round
	limit   time.Duration
	stdout  io.Writer
	stderr  io.Writer
	dir     string // for what the contenders keep; a folder of its own
}

// area is a kind of work that is measured.
type area struct {
	name, about string
	measure     func(ctx context.Context, s *suite) ([]table, error)
}

func areas() []area {
	return []area{
		{"intake", "signed pushes that are stored durably, a second", measureIntake},
		{"refusals", "pushes with a wrong signature, a second", measureRefusals},
		{"overload", "pushes stored while twice as many are sent as can be", measureOverload},
		{"parse", "the time to verify and parse a push", measureParse},
		{"repack", "the time to bring the archive of a commit to the platform", measureRepack},
		{"feed", "changes to many readers, and how long these take to connect", measureFeed},
		{"router", "requests to an app through the router", measureRouter},
		{"deployment", "the time until a new version of an app answers", measureDeployment},
		{"entries", "pushes and pages with many entries stored", measureEntries},
		{"growth", "many apps and readers of one server, and servers on one Redis", measureGrowth},
		{"start", "the time from exec to the first answer, and the memory at rest", measureStart},
	}
}

func (s *suite) run(ctx context.Context, names []string, page string) error {
	chosen := areas()
	if len(names) > 0 {
		all := chosen
		chosen = nil
		for _, name := range names {
			i := slices.IndexFunc(all, func(a area) bool { return a.name == name })
			if i < 0 {
				return fmt.Errorf("no area %q; see bench --help", name)
			}
			chosen = append(chosen, all[i])
		}
	}
	dir, err := os.MkdirTemp("", "webhooks-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)                      //nolint:errcheck // best effort
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // the apps' own users must reach their folders
		return err
	}
	s.dir = dir
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()

	var tables []table
	for _, a := range chosen {
		_, _ = fmt.Fprintf(s.stderr, "== %s: %s\n", a.name, a.about)
		found, err := a.measure(ctx, s)
		for _, t := range found {
			t.write(s.stdout)
		}
		tables = append(tables, found...)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if page == "" {
		return nil
	}
	return writePage(page, tables)
}
