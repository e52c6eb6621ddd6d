package github

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
	// breakAfter is how often in a row a host fails before it is left alone.
	breakAfter = 10
	// breakFor is for how long. Then one request tells whether it is back.
	breakFor = 10 * time.Second
)

// errFailing is why a host was not asked.
var errFailing = errors.New("it failed too often in a row to be asked again at once")

// breaker is a RoundTripper that leaves a host alone for a while which fails
// again and again. Else, where it hangs, each deployment's turn would be spent
// on waiting for it, and none be left for those that need it no more.
type breaker struct {
	next http.RoundTripper

	mu    sync.Mutex
	hosts map[string]*gobreaker.TwoStepCircuitBreaker[any]
}

// RoundTrip implements [http.RoundTripper].
func (b *breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	done, err := b.of(req.URL.Host).Allow()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.URL.Host, errFailing)
	}
	resp, err := b.next.RoundTrip(req)
	if err == nil && resp.StatusCode >= http.StatusInternalServerError {
		done(errors.New(resp.Status))
	} else {
		done(err)
	}
	return resp, err
}

// of returns the host's; requests go to hosts alone that the operator named.
func (b *breaker) of(host string) *gobreaker.TwoStepCircuitBreaker[any] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hosts[host] == nil {
		if b.hosts == nil {
			b.hosts = map[string]*gobreaker.TwoStepCircuitBreaker[any]{}
		}
		b.hosts[host] = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			Timeout:     breakFor,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
			IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) }, // by us
		})
	}
	return b.hosts[host]
}
