package apps_test

import (
	"context"
	"io"
	"strings"
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
