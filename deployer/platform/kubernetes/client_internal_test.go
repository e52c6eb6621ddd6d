package kubernetes

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An API server that starts refuses what is allowed until it is ready.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		code     int
		notReady int // answers of /readyz that say so
		unready  int // their code; 0: internal server error
		last     time.Duration
		refusals int // of the call, before it succeeds
		err      bool
		calls    int
	}{
		{name: "not ready", code: http.StatusForbidden, notReady: 2, refusals: 3, calls: 4},
		{name: "ready after the refusal", code: http.StatusForbidden, refusals: 1, calls: 2},
		{name: "unknown account", code: http.StatusUnauthorized, notReady: 1, refusals: 2, calls: 3},
		{name: "forbidden", code: http.StatusForbidden, refusals: 100, err: true, calls: 2},
		{name: "no roles yet", code: http.StatusForbidden, notReady: 2, unready: http.StatusForbidden, last: time.Hour, refusals: 3, calls: 4},
		{name: "no role for /readyz", code: http.StatusForbidden, notReady: 100, unready: http.StatusForbidden, refusals: 100, err: true, calls: 2},
		{name: "/readyz is not passed on", code: http.StatusForbidden, notReady: 100, unready: http.StatusNotFound, last: time.Hour, refusals: 100, err: true, calls: 2},
		{name: "conflict", code: http.StatusConflict, refusals: 100, err: true, calls: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			calls, asked := 0, 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/readyz" {
					if asked++; asked <= test.notReady {
						w.WriteHeader(cmp.Or(test.unready, http.StatusInternalServerError))
					}
					return
				}
				if calls++; calls <= test.refusals {
					w.WriteHeader(test.code)
				}
			}))
			defer server.Close()
			c := &client{http: server.Client(), base: server.URL, log: slog.New(slog.DiscardHandler), lastRefusal: test.last}
			err := c.call(t.Context(), request{method: http.MethodGet, path: pods.path("apps", "")}, nil)
			if (err != nil) != test.err {
				t.Errorf("error %v, want one: %t", err, test.err)
			}
			if calls != test.calls {
				t.Errorf("%d calls, want %d", calls, test.calls)
			}
		})
	}
}
