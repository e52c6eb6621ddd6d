package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
)

// stream is a feed that runs in a synctest bubble, and its output.
type stream struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	header  http.Header
	status  int
	body    strings.Builder
	flushed int // bytes of body
}

func (s *stream) Header() http.Header { return s.header }

func (s *stream) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body.Write(p)
}

func (s *stream) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = s.body.Len()
}

// sent waits until the feed is idle and returns the status, 0 if nothing was sent,
// and the flushed output.
func (s *stream) sent() (int, string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.body.String()[:s.flushed]
}

func (s *stream) over() bool {
	synctest.Wait()
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// open starts a feed that is closed at the end of the test.
func open(t *testing.T, api *httpapi.API, query string, headers ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{cancel: cancel, done: make(chan struct{}), header: http.Header{}}
	r := request(t, "GET", "/1/status/dscape/changes"+query, "", append(headers, as("dscape"))...).WithContext(ctx)
	go func() {
		defer close(s.done)
		api.Handler().ServeHTTP(s, r)
	}()
	t.Cleanup(func() {
		cancel()
		<-s.done
	})
	synctest.Wait()
	return s
}

// bubble runs a test with an API over a change log.
func bubble(t *testing.T, test func(t *testing.T, l *changeLog, api *httpapi.API)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &changeLog{}
		s := feedOver(t, l, status.Options{})
		test(t, l, newAPI(t, func(o *httpapi.Options) { o.Status = s }))
	})
}

// seqs returns the sequence numbers of the changes in NDJSON; for a failure it
// returns the code.
func seqs(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		var got struct{ Seq, Error, UUID, Status string }
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if got.Seq == "" {
			if got.UUID != uuid {
				t.Errorf("the last line has another uuid: %s", line)
			}
			got.Seq = got.Error
		}
		all = append(all, strings.TrimSuffix(got.Seq, "-0"))
	}
	return all
}

func wantSeqs(t *testing.T, text string, want ...string) {
	t.Helper()
	if got := seqs(t, text); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
