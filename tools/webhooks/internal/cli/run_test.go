//go:build linux

// The embedded platform, which these tests call, needs Linux.

package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// A command runs as the app; its output is streamed, and its exit code passed on.
func TestRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if code, _, stderr := b.call("", "run", "hello", "ls"); code != 1 || !strings.Contains(stderr, "hello") {
		t.Errorf("without the app: code %d and %q", code, stderr)
	}
	b.must("deploy", folder(t, hello("one")))
	b.must("apps", "env", "set", "hello", "GREETING=hi", "--restart")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"shell":     {[]string{"echo $GREETING, port ${PORT:-none}; ls server.js >&2; exit 3"}, 3, "hi, port none\nserver.js\n"},
		"program":   {[]string{"printf", "%s|", "a b", "it's", "$HOME", ""}, 0, "a b|it's|$HOME||"},
		"dashes":    {[]string{"--", "printf", "%s|", "--", "a"}, 0, "--|a|"},
		"one":       {[]string{"--", "echo $GREETING"}, 0, "hi\n"},
		"no output": {[]string{"false"}, 1, ""},
		"signal":    {[]string{"kill -9 $$"}, 137, ""},
		"not there": {[]string{"no-such-program"}, 127, "not found"},
	} {
		code, stdout, stderr := b.call("", append([]string{"run", "hello"}, test.args...)...)
		if code != test.code || stdout != test.want && (code != 127 || !strings.Contains(stdout, test.want)) || stderr != "" {
			t.Errorf("%s: got code %d, %q and %q", name, code, stdout, stderr)
		}
	}
	var out bytes.Buffer
	code := cli.Run(t.Context(), cli.IO{
		Args: []string{"run", "--to", b.URL(), "hello", "node", "-p", "1 + 1"}, Environ: environ(), Stdout: &out, Stderr: &out,
	}, "")
	if code != 0 || out.String() != "2\n" {
		t.Errorf("got code %d and %q", code, out.String())
	}
	if code, _, stderr := b.call("", "run", "hello", "--"); code != 2 || !strings.Contains(stderr, "no command after --") {
		t.Errorf("got code %d and %q", code, stderr)
	}
	if code, _, stderr := b.call("", "run", "hello"); code != 2 || !strings.Contains(stderr, "at least 2") {
		t.Errorf("got code %d and %q", code, stderr)
	}
}

// Output comes while the command runs, and the command ends with the call.
func TestRunStreams(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("deploy", folder(t, hello("one")))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &firstWrite{begun: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := b.client.RunCommand(ctx, "dscape", "hello", "echo $$ > $DATA_DIR/pid; echo begun; exec sleep 1000", nil, out)
		done <- err
	}()
	<-out.begun
	if got, _ := b.must("run", "hello", "kill -0 $(cat $DATA_DIR/pid) && echo alive"); got != "alive\n" {
		t.Errorf("while it runs: %q", got)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("it succeeds")
	}
	if got, _ := b.must("run", "hello", "while kill -0 $(cat $DATA_DIR/pid) 2>/dev/null; do sleep 0.1; done; echo gone"); got != "gone\n" {
		t.Errorf("after it: %q", got)
	}
}

// What is piped in is the input of the command, which ends with it; what the command
// does not read is not waited for. The end of the call ends a command that reads.
func TestRunInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("deploy", folder(t, hello("one")))
	large := strings.Repeat("0123456789abcdef", 1<<16)
	for name, test := range map[string]struct {
		in, command string
		code        int
		want        string
	}{
		"all":     {"x\n", "cat; echo end; exit 5", 5, "x\nend\n"},
		"empty":   {"", "cat", 0, ""},
		"large":   {large, "cat", 0, large},
		"partial": {large, "head -c 3", 0, "012"},
	} {
		if code, stdout, stderr := b.call(test.in, "run", "hello", test.command); code != test.code || stdout != test.want || stderr != "" {
			t.Errorf("%s: got code %d, %.50q and %q", name, code, stdout, stderr)
		}
	}
	for range 10 {
		if code, _, stderr := b.call(large, "run", "missing", "cat"); code != 1 || !strings.Contains(stderr, "missing") || strings.Contains(stderr, "reached") {
			t.Fatalf("without the app: code %d and %q", code, stderr)
		}
	}
	endless, typing := io.Pipe()
	defer typing.Close() //nolint:errcheck // it never fails
	var out bytes.Buffer
	go typing.Write([]byte("one\n")) //nolint:errcheck // the command fails then
	code, err := b.client.RunCommand(t.Context(), "dscape", "hello", "read line; echo got $line", endless, &out)
	if err != nil || code != 0 || out.String() != "got one\n" {
		t.Errorf("got code %d and %q, %v", code, out.String(), err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := &firstWrite{begun: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := b.client.RunCommand(ctx, "dscape", "hello", "echo $$ > $DATA_DIR/pid; echo begun; exec cat", endless, begun)
		done <- err
	}()
	<-begun.begun
	cancel()
	if err := <-done; err == nil {
		t.Error("it succeeds")
	}
	if got, _ := b.must("run", "hello", "while kill -0 $(cat $DATA_DIR/pid) 2>/dev/null; do sleep 0.1; done; echo gone"); got != "gone\n" {
		t.Errorf("after it: %q", got)
	}
}

// firstWrite reports the first write.
type firstWrite struct {
	begun chan struct{}
	text  string
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.text == "" {
		close(w.begun)
	}
	w.text += string(p)
	return len(p), nil
}
