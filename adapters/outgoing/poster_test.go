package outgoing_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/outgoing"
	"github.com/nodejitsu/webhooks/core"
)

// A post goes to a public address only, or to one that the operator named; its answer is
// returned whatever it is, also if it leads elsewhere.
func TestPoster(t *testing.T) {
	t.Parallel()
	var received []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received = append(received, r.URL.Path+" "+r.Header.Get("X-Event-Key")+" "+string(body))
		w.Header().Set("X-Api-Uuid", "x")
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	post := func(o outgoing.PosterOptions, path string) (int, error) {
		t.Helper()
		received = nil
		status, header, err := outgoing.NewPoster(o).Post(t.Context(), server.URL+path, http.Header{"X-Event-Key": {"ping"}}, []byte("body"))
		if (err == nil) != (header.Get("X-Api-Uuid") == "x") {
			t.Errorf("%s: got the header %v, %v", path, header, err)
		}
		return status, err
	}
	for _, named := range []outgoing.PosterOptions{{Base: server.URL + "/below"}, {PrivateHosts: []string{"127.0.0.1"}}} {
		if status, err := post(named, "/1/deploy"); err != nil || status != http.StatusUnauthorized || len(received) != 1 || received[0] != "/1/deploy ping body" {
			t.Errorf("%+v: got %d, %v; received %q", named, status, err, received)
		}
	}
	if status, err := post(outgoing.PosterOptions{Base: server.URL}, "/moved"); err != nil || status != http.StatusTemporaryRedirect || len(received) != 1 {
		t.Errorf("a redirect: got %d, %v; received %q", status, err, received)
	}
	for _, other := range []outgoing.PosterOptions{{}, {Base: "http://127.0.0.1:1"}, {Base: "https://hooks.example.com", PrivateHosts: []string{"hooks.example.com"}}} {
		if _, err := post(other, "/1/deploy"); !errors.Is(err, core.ErrForbidden) || len(received) != 0 {
			t.Errorf("%+v: got %v; received %q", other, err, received)
		}
	}
	named := outgoing.PosterOptions{Base: server.URL}
	server.Close()
	if _, err := post(named, "/1/deploy"); err == nil || errors.Is(err, core.ErrForbidden) {
		t.Errorf("no server: got %v", err)
	}
}
