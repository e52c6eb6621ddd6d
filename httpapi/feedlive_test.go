package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
)

// next reads the next line of a feed that is not a heartbeat.
func next(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		if line != "\n" {
			return line
		}
	}
}

// Whatever the clients ask for, each gets every change that it wants, once and
// in order, while others come and go.
func TestManyFeeds(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	_, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status = feedOver(t, l, status.Options{Window: 50, Batch: 7}) }))
	url += "/1/status/dscape/changes"
	type client struct {
		text        *bufio.Reader
		from, every uint64
		events      bool
	}
	var clients []client
	open := func(n uint64) {
		for i, c := range []client{{every: 1}, {every: 2}, {every: 1, events: true}} {
			query, accept := "?include_docs=auto", "Accept: */*"
			if c.every == 2 {
				query += "&status=error"
			}
			if c.events {
				accept = "Accept: text/event-stream"
			}
			if c.from = n; i == 0 {
				c.from = 0
				query += "&since=0"
			}
			c.text = bufio.NewReader(get(t, url+query, accept).Body)
			clients = append(clients, c)
		}
	}
	const last = 200
	for n := uint64(1); n <= last; n++ {
		if n%20 == 1 {
			open(n - 1)
			_ = get(t, url).Body.Close() // one that leaves
		}
		state := core.StatusOK
		if n%2 == 0 {
			state = core.StatusError
		}
		l.add(n, state, nil)
	}
	for i, c := range clients {
		for n := c.from + 1; n <= last; n++ {
			if n%c.every != 0 {
				continue
			}
			line := next(t, c.text)
			if c.events {
				for !strings.HasPrefix(line, "data: ") {
					line = next(t, c.text)
				}
				line = strings.TrimPrefix(line, "data: ")
			}
			if want := fmt.Sprintf(`{"seq":"%d-0"`, n); !strings.HasPrefix(line, want) || strings.Contains(line, `"doc":`) != (n%2 == 0) {
				t.Fatalf("client %d, change %d: got %s", i, n, line)
			}
		}
	}
}

// smallBuffers is a listener whose connections have small send buffers.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.SetWriteBuffer(16<<10))
	}
	return c, err
}

// A client that does not read for a while loses no changes and does not delay
// others.
func TestFeedPauses(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	api := newAPI(t, func(o *httpapi.Options) {
		o.Status, o.WriteTimeout = feedOver(t, l, status.Options{}), time.Hour
	})
	s := httptest.NewUnstartedServer(api.Handler())
	s.Listener = smallBuffers{s.Listener}
	s.Start()
	t.Cleanup(func() {
		api.EndFeeds(context.WithoutCancel(t.Context()))
		s.Close()
	})
	url := s.URL + "/1/status/dscape/changes"
	paused, other := bufio.NewReader(get(t, url+"?include_docs=true").Body), bufio.NewReader(get(t, url).Body)
	const more = 20 // more than the buffers hold
	for n := uint64(0); n < 3*more; n += more {
		for m := n + 1; m <= n+more; m++ {
			l.add(m, core.StatusOK, func(e *core.Entry) { e.Output = strings.Repeat("x", 64<<10) })
			wantSeqs(t, next(t, other), fmt.Sprint(m))
		}
		for m := n + 1; m <= n+more; m++ { // it catches up
			wantSeqs(t, next(t, paused), fmt.Sprint(m))
		}
	}
}

func TestFeedHeartbeatsAndTimeout(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	_, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status = feedOver(t, l, status.Options{}) }))
	for accept, want := range map[string]string{"application/json": "\n\n\n", "text/event-stream": "retry: 2000\n\n:\n\n:\n\n:\n\n"} {
		body := get(t, url+"/1/status/dscape/changes?heartbeat=10", "Accept: "+accept).Body
		text := make([]byte, len(want))
		if _, err := io.ReadFull(body, text); err != nil || string(text) != want {
			t.Errorf("%s: got %q, %v", accept, text, err)
		}
	}
	// With a timeout the response begins with the first heartbeat.
	text, err := io.ReadAll(get(t, url+"/1/status/dscape/changes?heartbeat=20&timeout=300").Body)
	if err != nil || !strings.HasPrefix(string(text), "\n") {
		t.Errorf("got %q, %v", text, err)
	}
	wantSeqs(t, string(text), string(core.CodeChangesTimeout))
}

// A disconnected client is detected even if there is nothing to write.
func TestFeedOfDisconnectedClient(t *testing.T) {
	t.Parallel()
	ended, takenOver := make(chan string, 10), make(chan struct{}, 10)
	_, url := started(t, newAPI(t, func(o *httpapi.Options) {
		o.Status, o.MaxFeeds = feedOver(t, &changeLog{}, status.Options{}), 1
		o.Logger = logTo(func(line string) {
			switch {
			case strings.Contains(line, "feed ended"):
				ended <- line
			case strings.Contains(line, `"status":200`):
				takenOver <- struct{}{} // the request has ended, and its feed goes on
			}
		})
	}))
	url += "/1/status/dscape/changes"
	for range 3 {
		answer := get(t, url)
		<-takenOver
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("got %d", answer.StatusCode)
		}
		if second := get(t, url); second.StatusCode != http.StatusServiceUnavailable || second.Header.Get("Retry-After") == "" {
			t.Errorf("a second feed got %d, %v", second.StatusCode, second.Header)
		}
		_ = answer.Body.Close()
		if line := <-ended; !strings.Contains(line, uuid) || !strings.Contains(line, "dscape") {
			t.Errorf("got log line %s", line)
		}
	}
}

// The last line of feeds that fail has the reason, and the response is complete.
func TestLiveFeedsFail(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	s := status.New(status.Options{Feed: l})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status = s }))
	var bodies []io.Reader
	for range 20 {
		bodies = append(bodies, get(t, url+"/1/status/dscape/changes").Body)
	}
	l.add(1, core.StatusOK, nil)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		got := seqs(t, string(text)) // the change may be missing
		if last := got[len(got)-1]; last != string(core.CodeHTTPUnavailable) || len(got) > 2 {
			t.Errorf("got %v", got)
		}
	}
}

// EndFeeds sends a last line to every feed, and new feeds are refused.
func TestEndLiveFeeds(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) { o.Status = feedOver(t, &changeLog{}, status.Options{}) })
	_, url := started(t, api)
	var bodies []io.Reader
	for i := range 20 {
		bodies = append(bodies, get(t, url+"/1/status/dscape/changes?heartbeat="+fmt.Sprint(1000+i)).Body)
	}
	api.EndFeeds(t.Context())
	for _, body := range bodies {
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		wantSeqs(t, string(text), string(core.CodeHTTPUnavailable))
	}
	if got := get(t, url+"/1/status/dscape/changes").StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("a new feed got %d", got)
	}
}

// HTTP/1.0 has no chunked encoding, so its feeds are written by net/http.
func TestFeedOfHTTP10(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	s, _ := started(t, newAPI(t, func(o *httpapi.Options) { o.Status = feedOver(t, l, status.Options{}) }))
	conn := dial(t, s.Addr())
	if _, err := io.WriteString(conn, "GET /1/status/dscape/changes HTTP/1.0\r\nHost: x\r\n"+as("dscape")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	text := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = text.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(line), "chunked") {
			t.Errorf("got %s", line)
		}
	}
	l.add(1, core.StatusOK, nil)
	wantSeqs(t, next(t, text), "1")
}
