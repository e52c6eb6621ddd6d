package api_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestInvalidUploads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	const head = "POST /apps/me/app/snapshots/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic bWU6bXkgcGFzc3dvcmQ=\r\n"
	for _, text := range []string{
		head + "Content-Length: 100\r\n\r\ntgz",
		head + "Transfer-Encoding: chunked\r\n\r\n3\r\ntgz\r\n",
	} {
		if got := b.raw(text); got != "" {
			t.Errorf("%q: %s", text, got)
		}
	}
	got := b.raw(head + "Transfer-Encoding: chunked\r\n\r\n3\r\ntgz\r\nno chunk\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, `"error":"incomplete"`) {
		t.Errorf("an invalid chunk: %q", got)
	}
	b.refused(400, "invalid", me, "POST /apps/me/app/snapshots/1", "")
	if got := b.must(200, me, "GET /apps/me/app/snapshots", "").body; got != "{\"snapshots\":[]}\n" {
		t.Errorf("a truncated snapshot was stored: %s", got)
	}
	if strings.Contains(b.log.String(), "panic") {
		t.Error(b.log)
	}
}

// An upload that takes longer than the server's write timeout still gets its
// error response.
func TestRefusalAfterALongUpload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.server.Close()
	b.serve(func(s *http.Server) { s.WriteTimeout = 1 }) // a nanosecond: it has always passed
	if _, err := b.open(me, "GET /apps/me", nil); err == nil {
		t.Fatal("the timeout has no effect")
	}
	b.refused(400, "invalid", me, "POST /apps/me/app/snapshots/1", "")
}
