package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
	server "github.com/nodejitsu/webhooks/httpapi/serve"
)

// started returns a running server for api that the test stops, and its URL.
func started(t *testing.T, api *httpapi.API) (*server.Server, string) {
	t.Helper()
	return serving(t, api, api.Handler())
}

// serving is like started, with the handler of api or one around it.
func serving(t *testing.T, api *httpapi.API, handler http.Handler) (*server.Server, string) {
	t.Helper()
	s := server.New(server.Options{
		Name: "listen", Addr: "127.0.0.1:0", Overload: api.Overload(),
		ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, Fail: func(err error) { t.Error(err) },
	})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Serve(handler)
	t.Cleanup(func() { stop(t, s, api) })
	return s, "http://" + s.Addr()
}

func stop(t *testing.T, s *server.Server, api *httpapi.API) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	api.EndFeeds(ctx)
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// get requests url as dscape; the body is not read yet.
func get(t *testing.T, url string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("dscape", secret)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// A feed is read live, interrupted, and resumed at its position.
func TestFeedOverTheNetwork(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	s := feedOver(t, l, status.Options{})
	_, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status = s }))
	url += "/1/status/dscape/changes/"

	answer := get(t, url) // the response has headers, so it is subscribed
	lines := bufio.NewScanner(answer.Body)
	for n := uint64(1); n <= 3; n++ {
		l.add(n, core.StatusOK, nil)
		if !lines.Scan() {
			t.Fatalf("after change %d: %v", n, lines.Err())
		}
		wantSeqs(t, lines.Text(), string('0'+rune(n)))
		if want := `"id":"` + strings.TrimSuffix(url, "/") + "/" + entryID; !strings.Contains(lines.Text(), want) {
			t.Errorf("got %s, want an id on the requested host", lines.Text())
		}
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	l.add(4, core.StatusOK, nil)
	again := bufio.NewReader(get(t, url, "Last-Event-ID: 3-0").Body)
	line, err := again.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	wantSeqs(t, line, "4")
}

// rawFeed opens a feed on a new connection and reads nothing from it.
func rawFeed(t *testing.T, addr string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	r := request(t, "GET", "http://x/1/status/dscape/changes?since=0&include_docs=true", "", as("dscape"))
	if err := r.Write(c); err != nil {
		t.Fatal(err)
	}
	return c
}

const large = 1 << 20

// addLarge appends changes whose docs are large.
func addLarge(l *changeLog, from, to uint64) {
	for n := from; n <= to; n++ {
		l.add(n, core.StatusOK, func(e *core.Entry) { e.Output = strings.Repeat("x", large) })
	}
}

// readTo reads from r up to change n.
func readTo(t *testing.T, r *status.Reader, n uint64) {
	t.Helper()
	for {
		wake := r.Wake()
		lines, err := r.Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) > 0 && lines[len(lines)-1].Seq.Millis == n {
			return
		}
		if len(lines) == 0 {
			<-wake
		}
	}
}

func subscribe(t *testing.T, s *status.Service) *status.Reader {
	t.Helper()
	r, err := s.Subscribe(t.Context(), "dscape", status.Since{Now: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// The feed of a reader that falls behind ends with an error line.
func TestSlowReaderIsDisconnected(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	s := feedOver(t, l, status.Options{MaxLag: 5, Batch: 1})
	s2, _ := started(t, newAPI(t, func(o *httpapi.Options) { o.Status, o.WriteTimeout = s, time.Hour }))
	other := subscribe(t, s)
	addLarge(l, 1, 1)
	readTo(t, other, 1)
	c := rawFeed(t, s2.Addr())
	text := bufio.NewReader(c)
	if _, err := text.Peek(1); err != nil { // it has begun
		t.Fatal(err)
	}
	for n := uint64(2); n <= 30; n++ { // far more than the buffers hold
		addLarge(l, n, n)
		readTo(t, other, n)
	}

	answer, err := http.ReadResponse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("the feed is incomplete: %v", err)
	}
	got := seqs(t, string(body))
	if last := got[len(got)-1]; last != string(core.CodeChangesFatal) || len(got) >= 30 {
		t.Errorf("after %d lines the last is %s, want %s", len(got), last, core.CodeChangesFatal)
	}
}

// headFirst is a response whose header is sent before a write deadline is set, so
// that the client receives it however soon the deadline expires.
type headFirst struct{ http.ResponseWriter }

func (w headFirst) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w headFirst) SetWriteDeadline(t time.Time) error {
	control := http.NewResponseController(w.ResponseWriter)
	return errors.Join(control.Flush(), control.SetWriteDeadline(t))
}

// A reader that reads nothing is disconnected at the write deadline.
func TestDeadReaderIsDisconnected(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	addLarge(l, 1, 30)
	s := feedOver(t, l, status.Options{})
	logged := make(chan string, 1)
	api := newAPI(t, func(o *httpapi.Options) {
		o.Status, o.WriteTimeout = s, 100*time.Millisecond
		o.Logger = logTo(func(line string) {
			if strings.Contains(line, `"msg":"request"`) {
				logged <- line
			}
		})
	})
	handler := api.Handler()
	s2, _ := serving(t, api, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(headFirst{w}, r)
	}))
	c := rawFeed(t, s2.Addr())
	if line := <-logged; !strings.Contains(line, string(core.CodeChangesFatal)) {
		t.Errorf("got log line %s", line)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err == nil {
		t.Error("the response ended as if it were complete")
	}
}

// Stopping ends feeds with a last line, and a delivery in flight gets its response.
func TestStop(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	feed := feedOver(t, l, status.Options{})
	waiting := make(chan struct{})
	api := newAPI(t, func(o *httpapi.Options) {
		o.Status = feed
		o.Wait = time.Hour
		o.MaxWait = time.Hour
		o.Deploy = fakeDeploy{
			deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				return deploy.Receipt{Change: changeOf(core.StatusPending)}, nil
			},
			wait: func(ctx context.Context, _ string) (core.Change, error) {
				close(waiting)
				<-ctx.Done()
				return changeOf(core.StatusPending), nil
			},
		}
	})
	s, url := started(t, api)
	answer := get(t, url+"/1/status/dscape/changes")
	delivered := make(chan string, 1)
	go func() {
		text, err := fetch(t, url, "{}")
		if err != nil {
			t.Error(err)
		}
		delivered <- text
	}()
	<-waiting
	stop(t, s, api)
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Errorf("the feed was cut off: %v", err)
	}
	wantSeqs(t, string(text), string(core.CodeHTTPUnavailable))
	if text := <-delivered; !strings.Contains(text, `"status":"pending"`) {
		t.Errorf("got response %q to the delivery", text)
	}
	if _, err := fetch(t, url, "{}"); err == nil {
		t.Error("the stopped server accepts a delivery")
	}
}

// While draining, only /readyz fails.
func TestDrain(t *testing.T) {
	t.Parallel()
	api := newAPI(t, nil)
	_, url := started(t, api)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	drained := make(chan struct{})
	go func() {
		api.Drain(ctx, time.Hour)
		close(drained)
	}()
	for get(t, url+"/readyz").StatusCode != http.StatusServiceUnavailable {
		if t.Context().Err() != nil {
			t.Fatal("/readyz never fails")
		}
	}
	if got := get(t, url+"/healthz").StatusCode; got != http.StatusOK {
		t.Errorf("/healthz responds with %d while draining", got)
	}
	cancel()
	<-drained
}
