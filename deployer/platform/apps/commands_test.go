package apps_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A command is run with what runs, or with what the next start would run.
func TestRun(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	run := func(command string) (string, apps.Exit, error) {
		var out strings.Builder
		exit, err := f.Run(t.Context(), "me", "app", command, strings.NewReader("typed"), &out)
		return out.String(), exit, err
	}
	if _, _, err := run("ls"); core.CodeOf(err) != core.CodePlatformNoSnapshots {
		t.Errorf("without a snapshot: %v", err)
	}
	var with runner.Version
	f.runner.run = func(_ context.Context, v runner.Version, c runner.Command) (runner.Exit, error) {
		with = v
		typed, err := io.ReadAll(c.In)
		if err != nil {
			return runner.Exit{}, err
		}
		_, err = io.WriteString(c.Out, c.Name+": "+c.Shell+" < "+string(typed))
		return runner.Exit{Code: 3}, err
	}
	f.update(`{"env":{"MINE":"1"}}`)
	f.upload("v1", packageOne)
	out, exit, err := run("ls")
	if f.ok(err); out != "run: ls < typed" || exit.Code != 3 || with.Snapshot != "v1" || with.Env["COLOR"] != "red" || with.Env["MINE"] != "1" {
		t.Errorf("got %q, %+v of %+v", out, exit, with)
	}
	f.ok(f.start("v1"))
	f.upload("v2", packageTwo)
	_, err = f.Activate("me", "app", "v2", "")
	f.ok(err)
	if _, _, err = run("ls"); err != nil || with.Snapshot != "v1" || with.Subdomain != "one" {
		t.Errorf("got %v of %+v", err, with)
	}
	for _, command := range []string{"", " ", "a\x00b", strings.Repeat("x", 1<<17)} {
		if _, _, err := run(command); core.CodeOf(err) != core.CodePlatformInvalid {
			t.Errorf("%.10q: %v", command, err)
		}
	}
	if _, err := f.Run(t.Context(), "me", "none", "ls", nil, io.Discard); core.CodeOf(err) != core.CodePlatformAppNotFound {
		t.Errorf("got %v", err)
	}
}

// Commands by the clock are those of the version that runs; one that still runs is
// not run again, and failures are in the log.
func TestCron(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	const cron = `{"webhooks":{"cron":[{"schedule":"0 3 * * *","command":"clean"},{"schedule":"*/30 * * * *","command":"fail"}]}}`
	at := func(clock string) {
		t.Helper()
		minute, err := time.Parse("15:04", clock)
		f.ok(err)
		f.Tick(t.Context(), minute)
	}
	ran, finish := make(chan string, 10), make(chan struct{})
	f.runner.run = func(_ context.Context, v runner.Version, c runner.Command) (runner.Exit, error) {
		ran <- v.Snapshot + " " + c.Name + " " + c.Shell
		if c.Shell == "fail" {
			return runner.Exit{Code: 2, Reason: "exited with code 2"}, nil
		}
		<-finish
		return runner.Exit{}, nil
	}
	noted := func(times int, want string) {
		t.Helper()
		f.await(want, func() bool {
			lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 10)
			f.ok(err)
			n := 0
			for _, l := range lines {
				if l.Text == want {
					n++
				}
			}
			return n == times
		})
	}
	f.upload("v1", cron)
	at("03:00") // it does not run
	f.ok(f.start("v1"))
	at("03:01")
	at("03:30")
	if got := <-ran; got != "v1 cron fail" {
		t.Errorf("ran %q", got)
	}
	noted(1, "the command fail, by the clock, exited with code 2")
	at("03:00")
	both := []string{<-ran, <-ran}
	if both[0]+both[1] != "v1 cron cleanv1 cron fail" && both[1]+both[0] != "v1 cron cleanv1 cron fail" {
		t.Errorf("ran %q", both)
	}
	noted(2, "the command fail, by the clock, exited with code 2")
	at("03:00")
	noted(3, "the command fail, by the clock, exited with code 2")
	noted(1, "the command clean, by the clock, is not run again, as it still runs")
	if got := <-ran; got != "v1 cron fail" {
		t.Errorf("ran %q", got)
	}
	close(finish)
	f.Close()
	if len(ran) > 0 {
		t.Errorf("ran %q", <-ran)
	}
}

// A clock that is set back repeats no minute, unless it was wrong by hours.
func TestCronOfAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	const soon = time.Minute - time.Millisecond
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	clock := []time.Duration{ // what the loop sees, each a millisecond before a minute
		soon, soon, // 12:01, and again
		soon + time.Minute, soon, // 12:02, and 12:01 again
		soon - 2*time.Hour, // 10:01
	}
	followed := false
	passed := make(chan struct{})
	f := setup(t, apps.Options{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if !followed {
			return begin
		}
		if len(clock) == 0 {
			select {
			case <-passed:
			default:
				close(passed)
			}
			return begin
		}
		now := begin.Add(clock[0])
		clock = clock[1:]
		return now
	}})
	f.deploy("v1", `{"webhooks":{"cron":[{"schedule":"1 12 * * *","command":"one"},{"schedule":"2 12 * * *","command":"two"},{"schedule":"1 10 * * *","command":"three"}]}}`)
	ran := make(chan string, 10)
	f.runner.run = func(_ context.Context, _ runner.Version, c runner.Command) (runner.Exit, error) {
		ran <- c.Shell
		return runner.Exit{}, nil
	}
	mu.Lock()
	followed = true
	mu.Unlock()
	f.ok(f.Resume(t.Context()))
	<-passed
	f.Close() // waits for the commands
	close(ran)
	var all []string
	for command := range ran {
		all = append(all, command)
	}
	slices.Sort(all)
	if want := []string{"one", "three", "two"}; !slices.Equal(all, want) {
		t.Errorf("ran %q, want %q", all, want)
	}
	lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 10)
	f.ok(err)
	for _, l := range lines {
		if strings.Contains(l.Text, "by the clock") { // it was to be run again at once
			t.Errorf("the log has %s", l.Text)
		}
	}
}
