package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// server is `webhooks serve` as a process.
type server struct {
	program, data, log string
	api, apps          string // as the server announces them

	cmd    *exec.Cmd
	exited chan struct{}
}

func startServer(ctx context.Context, program, data string, github *sim.Server) (*server, error) {
	s := &server{program: program, data: data, log: filepath.Join(filepath.Dir(data), "server.log"), exited: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()                                                                                                     //nolint:errcheck // the child has its own descriptor
	s.cmd = exec.Command(program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0", //nolint:gosec,noctx // stopped by a signal
		"--apps-listen", "127.0.0.1:0", "--github-url", github.URL(), "--github-archive-hosts", github.ArchiveHost(), "--min-ready-time", "1s")
	s.cmd.Stderr = log
	// Ctrl-C is for the demo, which stops the server after closing the feed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	announced := make(chan map[string]string, 1)
	go func() {
		defer close(s.exited)
		found := map[string]string{}
		for lines := bufio.NewScanner(stdout); len(found) < 3 && lines.Scan(); {
			if what, address, ok := strings.Cut(lines.Text(), " "); ok {
				found[what] = strings.TrimSpace(address)
			}
		}
		if len(found) == 3 {
			announced <- found
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = s.cmd.Wait() // its log has the reason
	}()
	select {
	case found := <-announced:
		s.api, s.apps = found["webhooks"], found["apps"]
		return s, nil
	case <-s.exited:
	case <-ctx.Done():
	}
	text, _ := os.ReadFile(s.log)
	return nil, errors.Join(fmt.Errorf("the server did not start: %s", text), s.stop())
}

// stop ends the server and waits for it.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-s.exited:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New("the server did not stop within a minute"), s.cmd.Process.Kill())
	}
}

// addUser adds a user, as an operator does.
func (s *server) addUser(ctx context.Context, name string, password core.Secret) error {
	cmd := exec.CommandContext(ctx, s.program, "users", "add", name, "--new-password-file", "-", "--data", s.data) //nolint:gosec // our own program
	cmd.Stdin = strings.NewReader(password.Reveal() + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("webhooks users add: %w: %s", err, out)
	}
	return nil
}

// appURL is the address of an app for a browser.
func (s *server) appURL(app string) string { return strings.Replace(s.apps, "SUBDOMAIN", app, 1) }

// get requests an app's page. A name below localhost is this machine, even if the
// resolver does not know it.
func (s *server) get(ctx context.Context, app string) (string, error) {
	address, err := url.Parse(s.appURL(app))
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", address.Port()))
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s: %s", app, response.Status, text)
	}
	return strings.TrimSpace(string(text)), nil
}
