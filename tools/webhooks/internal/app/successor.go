package app

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// prepareTimeout is the time limit for a successor to read its settings.
const prepareTimeout = time.Minute

// successor replaces this process by another one at SIGHUP.
type successor struct {
	hangup  <-chan os.Signal
	held    *sockets.Sockets
	log     *slog.Logger
	started atomic.Bool // there is one, which waits for the end of this process
}

// hangups returns a channel that receives SIGHUP until the end of the process, unless
// the signal is ignored: one that comes while nothing receives from the channel must
// not end the process.
func hangups() <-chan os.Signal {
	hangup := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangup, syscall.SIGHUP)
	}
	return hangup
}

// await returns when ctx ends, or when a successor waits for the end of this
// process. On a terminal, SIGHUP says that the terminal was closed.
func (s *successor) await(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hangup:
		}
		if isTerminal(os.Stdin) || isTerminal(os.Stderr) {
			return
		}
		if err := s.start(ctx); err != nil {
			s.log.ErrorContext(ctx, "server not replaced by its successor, and goes on", "error", err)
			continue
		}
		s.log.InfoContext(ctx, "server replaced by its successor")
		return
	}
}

func (s *successor) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if err := s.held.Succeed(ctx, program, os.Args[1:], os.Environ()); err != nil {
		return err
	}
	s.started.Store(true)
	return nil
}
