package apps

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

const (
	user     = "maciej"
	password = "correct horse"
)

// patience is how long something may take that must happen. Only what hangs
// takes so long, however busy the machine is.
const patience = 10 * time.Minute

// server is a running `webhooks platform`.
type server struct {
	dir, data string
	flags     []string
	token     string // of the user: many tests call at a time, and passwords are slow to check
	cmd       *exec.Cmd
	exited    chan struct{}
	api       string // http://host:port
	apps      string // host:port of the router

	mu  sync.Mutex
	log bytes.Buffer // stderr of all its processes
}

// serve starts a platform on a fresh data folder and adds the user. flags are
// added to its command line.
func serve(ctx context.Context, flags ...string) (*server, error) {
	// Not t.TempDir: the users of apps need access to it.
	dir, err := os.MkdirTemp("", "webhooks-apps-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, data: filepath.Join(dir, "data"), flags: flags}
	if err = os.Chmod(dir, 0o711); err == nil { //nolint:gosec // see above
		err = s.start(ctx)
	}
	if err == nil {
		_, err = s.command(ctx, password+"\n", "users", "add", user, "--new-password-file", "-")
	}
	if err == nil {
		s.token, err = s.command(ctx, "", "tokens", "add", user, "tests")
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// command runs one command of the program and returns what it prints.
func (s *server) command(ctx context.Context, stdin string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append(args, "--data", s.data)...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("webhooks %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// ownPlatform returns a platform that no other test uses, for as long as the test
// runs.
func ownPlatform(t *testing.T, flags ...string) *server {
	t.Helper()
	s, err := serve(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the platform:\n%s", s.stderr())
		}
	})
	return s
}

// start starts the process, with new ports.
func (s *server) start(ctx context.Context) error {
	// It is stopped explicitly, not by the end of the test's context.
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, append([]string{
		"platform", "--data", s.data, "--platform-listen", "127.0.0.1:0", "--apps-listen", "127.0.0.1:0",
		"--npm-registry", registry, "--ready-timeout", patience.String(), "--min-ready-time", "100ms",
	}, s.flags...)...)
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.cmd.Stderr = (*serverLog)(s)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited, environment := make(chan struct{}), make(chan map[string]string, 1)
	s.exited = exited
	go func() {
		found := map[string]string{}
		for lines := bufio.NewScanner(stdout); len(found) < 2 && lines.Scan(); {
			if name, address, ok := strings.Cut(lines.Text(), " "); ok {
				found[name] = strings.TrimSpace(address)
			}
		}
		environment <- found
		_, _ = io.Copy(io.Discard, stdout)
		_ = s.cmd.Wait()
		close(exited)
	}()
	select {
	case found := <-environment:
		s.api = found["platform"]
		s.apps = "127.0.0.1" + strings.TrimPrefix(found["apps"], "http://SUBDOMAIN.localhost")
		if len(found) == 2 {
			return nil
		}
	case <-time.After(patience):
		s.kill()
	}
	<-exited
	return fmt.Errorf("the platform did not start:\n%s", s.stderr())
}

// kill kills the process and waits for its end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// remove stops the process with SIGTERM and removes its folder.
func (s *server) remove() error {
	var err error
	if s.exited != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.exited:
		case <-time.After(patience):
			err = errors.New("the platform did not stop at SIGTERM")
			s.kill()
		}
	}
	if _, race, found := strings.Cut(s.stderr(), "WARNING: DATA RACE"); found {
		err = errors.Join(err, errors.New("the race detector reports a race in the platform:"+race))
	}
	// A server that was killed could not end its apps.
	return errors.Join(err, leftovers.Kill(s.dir), os.RemoveAll(s.dir))
}

// serverLog collects what the process writes to stderr.
type serverLog server

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (s *server) stderr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}
