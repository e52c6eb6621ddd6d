package forgehttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A host that keeps failing gets no requests for a time; then one request tests
// whether it is available again. Other hosts are not affected.
func TestBreakerPausesAHostThatFails(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func() (*http.Response, error){
		"network": func() (*http.Response, error) { return nil, errors.New("connection refused") },
		"502": func() (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusBadGateway, Status: "502 Bad Gateway", Body: http.NoBody}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked, down := map[string]int{}, true
				b := &Breaker{Next: roundTrip(func(req *http.Request) (*http.Response, error) {
					asked[req.URL.Host]++
					if req.URL.Host == "down.example" && down {
						return fails()
					}
					return &http.Response{StatusCode: http.StatusNotFound, Body: io.NopCloser(strings.NewReader("{}"))}, nil
				})}
				ask := func(host string) error {
					t.Helper()
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/x", http.NoBody)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := b.RoundTrip(req)
					if err == nil {
						err = resp.Body.Close()
					}
					return err
				}
				asks := func(host string, times, want int) {
					t.Helper()
					before := asked[host]
					refused := 0
					for range times {
						if errors.Is(ask(host), errFailing) {
							refused++
						}
					}
					if refused != times-want {
						t.Errorf("%s: %d requests were not sent, want %d", host, refused, times-want)
					}
					if got := asked[host] - before; got != want {
						t.Errorf("%s received %d of %d requests, want %d", host, got, times, want)
					}
				}
				asks("down.example", 30, breakAfter)
				asks("up.example", 30, 30)
				<-time.After(breakFor + time.Second)
				asks("down.example", 5, 1)
				down = false
				<-time.After(breakFor + time.Second)
				asks("down.example", 5, 5)
			})
		})
	}
}

// A request that we cancel is not a failure of the host.
func TestBreakerDoesNotCountCancellation(t *testing.T) {
	t.Parallel()
	asked := 0
	b := &Breaker{Next: roundTrip(func(*http.Request) (*http.Response, error) {
		asked++
		return nil, context.Canceled
	})}
	for range 2 * breakAfter {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RoundTrip(req); !errors.Is(err, context.Canceled) { //nolint:bodyclose // there is none
			t.Errorf("got %v", err)
		}
	}
	if asked != 2*breakAfter {
		t.Errorf("got %d requests", asked)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
