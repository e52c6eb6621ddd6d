package group_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// However late it is read, a pipe has all that was written into it, and it ends even
// though its other end stays open, and is written to for ever.
func TestPipeIsFinished(t *testing.T) {
	t.Parallel()
	p, w, err := group.OpenPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // only read
	text := strings.Repeat("0123456789", 1000)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	p.Finish()
	first := make([]byte, 4)
	if _, err := io.ReadFull(p, first); err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for err := error(nil); err == nil; _, err = io.WriteString(w, text) {
		}
	}()
	rest, err := io.ReadAll(p)
	if err != nil || string(first)+string(rest) != text {
		t.Errorf("read %d bytes, %v, want the %d that were in the pipe", len(first)+len(rest), err, len(text))
	}
	if err := errors.Join(w.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	<-written
}

// slowly is a writer that waits for begin.
type slowly struct {
	begin chan struct{}
	text  bytes.Buffer
}

func (s *slowly) Write(p []byte) (int, error) {
	<-s.begin
	return s.text.Write(p)
}

// End waits until all output is passed on, but not for a process that escaped from the
// group, and still has a pipe.
func TestOutputIsComplete(t *testing.T) {
	t.Parallel()
	for name, same := range map[string]bool{"one writer": true, "two writers": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/bin/sh", "-c", "echo out; echo err >&2; read line; echo last; exit 3") //nolint:noctx // End ends it
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, failures := &slowly{begin: make(chan struct{})}, &bytes.Buffer{}
			cmd.Stdout, cmd.Stderr = out, failures
			if same {
				cmd.Stderr = out
			}
			g, err := (*group.Cgroups)(nil).Start(cmd, markOf(t), group.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			escaped, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/1", g.Pid()), os.O_WRONLY, 0) // as if this were one
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(in, "go on\n"); err != nil {
				t.Fatal(err)
			}
			<-g.Exited()
			close(out.begin)
			err = g.End(t.Context(), 0)
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 3 {
				t.Errorf("the command ended with %v", err)
			}
			want := [2]string{"out\nlast\n", "err\n"}
			if same {
				want = [2]string{"out\nerr\nlast\n", ""}
			}
			if got := [2]string{out.text.String(), failures.String()}; got != want {
				t.Errorf("got output %q, want %q", got, want)
			}
			if _, err := io.WriteString(escaped, "more\n"); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("the pipe is open for a process that escaped: %v", err)
			}
			if err := escaped.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
