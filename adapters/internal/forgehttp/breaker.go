package forgehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// breakAfter is the number of failures in a row after which a host gets no
	// more requests.
	breakAfter = 10
	// breakFor is the time without requests. After it one request tests whether
	// the host is available again.
	breakFor = 10 * time.Second
)

// errFailing is the error of a request that was not sent.
var errFailing = errors.New("too many failures in a row; requests are paused")

// Breaker is a RoundTripper that pauses the requests to a host that keeps
// failing. Without it every worker would wait for a host that hangs, and no
// worker would be left for deployments that do not need the host.
type Breaker struct {
	Next http.RoundTripper

	mu    sync.Mutex
	hosts map[string]*gobreaker.TwoStepCircuitBreaker[any]
}

// RoundTrip implements [http.RoundTripper].
func (b *Breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	done, err := b.of(req.URL.Host).Allow()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.URL.Host, errFailing)
	}
	resp, err := b.Next.RoundTrip(req)
	if err == nil && resp.StatusCode >= http.StatusInternalServerError {
		done(errors.New(resp.Status))
	} else {
		done(err)
	}
	return resp, err
}

// of returns the breaker of a host. There are few: requests are sent only to hosts
// that the operator configured.
func (b *Breaker) of(host string) *gobreaker.TwoStepCircuitBreaker[any] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hosts[host] == nil {
		if b.hosts == nil {
			b.hosts = map[string]*gobreaker.TwoStepCircuitBreaker[any]{}
		}
		b.hosts[host] = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			Timeout:     breakFor,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
			IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) }, // it was us
		})
	}
	return b.hosts[host]
}
