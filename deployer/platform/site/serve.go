package site

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// idleTimeout is how long a connection may be kept that is not used.
const idleTimeout = 2 * time.Minute

// Serve serves the site of a folder on an address until ctx ends, and then finishes
// its requests for at most grace.
func Serve(ctx context.Context, addr, dir, fallback string, grace time.Duration) error {
	s, err := New(dir, fallback)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return errors.Join(fmt.Errorf("site: %w", err), s.Close())
	}
	server := http.Server{Handler: s, ReadHeaderTimeout: idleTimeout, IdleTimeout: idleTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
		return errors.Join(fmt.Errorf("site: %w", err), s.Close())
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(end) != nil {
		_ = server.Close() // requests that remain are aborted
	}
	if err = <-served; errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Close())
}
