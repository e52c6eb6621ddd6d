package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
)

func TestFeedContinuous(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
		l.add(1, core.StatusOK, nil)
		s := open(t, api, "")
		code, text := s.sent()
		if code != http.StatusOK || text != "" {
			t.Errorf("at once: %d %q, want the headers alone", code, text)
		}
		h := s.Header()
		if h.Get("Content-Type") != "application/x-ndjson" || h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-store" ||
			h.Get("X-Api-Uuid") != uuid || h.Get("Content-Length") != "" {
			t.Errorf("headers are %v", h)
		}
		l.add(2, core.StatusPending, nil)
		l.add(3, core.StatusError, nil)
		_, text = s.sent()
		golden(t, "feed lines", text)
		l.add(4, core.StatusOK, nil)
		_, text = s.sent()
		wantSeqs(t, text, "2", "3", "4")
		if s.over() {
			t.Error("the feed is over")
		}
	})
}

func TestFeedSince(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query, header string
		want          []string
	}{
		{"?feed=normal", "", nil},
		{"?feed=normal&since=now", "", nil},
		{"?feed=normal&since=0", "", []string{"1", "2", "3"}},
		{"?feed=normal&since=1-0", "", []string{"2", "3"}},
		{"?feed=normal&since=3", "", nil},
		{"?feed=normal&since=0", "Last-Event-ID: 2-0", []string{"3"}},
		{"?feed=normal", "Last-Event-ID: 0", []string{"1", "2", "3"}},
	} {
		bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
			for n := range uint64(3) {
				l.add(n+1, core.StatusOK, nil)
			}
			header := "X-Nothing: 1"
			if c.header != "" {
				header = c.header
			}
			s := open(t, api, c.query, header)
			code, text := s.sent()
			if !s.over() || code != http.StatusOK {
				t.Errorf("%s: got %d, over: %t", c.query, code, s.over())
			}
			wantSeqs(t, text, c.want...)
		})
	}
}

func TestFeedLongpoll(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
		l.add(1, core.StatusOK, nil)
		there := open(t, api, "?feed=longpoll&since=0")
		_, text := there.sent()
		wantSeqs(t, text, "1")
		if !there.over() {
			t.Error("with changes there it is not over")
		}
		waits := open(t, api, "?feed=longpoll&status=ok")
		l.add(2, core.StatusError, nil)
		if waits.over() {
			t.Fatal("it is over before a change that it wants")
		}
		l.add(3, core.StatusOK, nil)
		_, text = waits.sent()
		wantSeqs(t, text, "3")
		if !waits.over() {
			t.Error("after a batch it is not over")
		}
	})
}

func TestFeedFilters(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"&app=hello":                 {"1", "2"},
		"&status=ok":                 {"1", "3"},
		"&status=error,held":         {"2", "4"},
		"&app=hello&status=error":    {"2"},
		"&app=nothing":               nil,
		"&app=other&status=ok,error": {"3"},
	} {
		bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
			app := func(name string) func(*core.Entry) { return func(e *core.Entry) { e.App = name } }
			l.add(1, core.StatusOK, app("hello"))
			l.add(2, core.StatusError, app("hello"))
			l.add(3, core.StatusOK, app("other"))
			l.add(4, core.StatusHeld, app("other"))
			_, text := open(t, api, "?feed=normal&since=0"+query).sent()
			wantSeqs(t, text, want...)
		})
	}
}

func TestFeedDocs(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]bool{
		"":                    {false, false},
		"&include_docs=false": {false, false},
		"&include_docs=true":  {true, true},
		"&include_docs=auto":  {false, true},
	} {
		bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
			l.add(1, core.StatusOK, nil)
			l.add(2, core.StatusError, nil)
			_, text := open(t, api, "?feed=normal&since=0"+query).sent()
			lines := strings.Split(strings.TrimSpace(text), "\n")
			if len(lines) != 2 {
				t.Fatalf("got %q", text)
			}
			for i, line := range lines {
				if got := strings.Contains(line, `"doc":{`); got != want[i] {
					t.Errorf("%q: doc is on change %d: %t, want %t", query, i+1, got, want[i])
				}
			}
		})
	}
}

func TestFeedEvents(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
		s := open(t, api, "?heartbeat=1000&timeout=3500", "Accept: application/json;q=0.5, text/event-stream;q=1")
		l.add(1, core.StatusOK, nil)
		<-time.After(2500 * time.Millisecond)
		l.add(2, core.StatusError, nil)
		<-time.After(3600 * time.Millisecond)
		if !s.over() {
			t.Error("the timeout did not end it")
		}
		if got := s.Header().Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type is %q", got)
		}
		_, text := s.sent()
		golden(t, "feed events", text)
	})
	bubble(t, func(t *testing.T, _ *changeLog, api *httpapi.API) {
		if _, text := open(t, api, "", "Accept: text/event-stream").sent(); text != "retry: 2000\n\n" {
			t.Errorf("at once a browser gets %q", text)
		}
	})
}

func TestFeedHeartbeat(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
		s := open(t, api, "")
		<-time.After(14 * time.Second)
		if _, text := s.sent(); text != "" {
			t.Errorf("after 14 s: %q", text)
		}
		l.add(1, core.StatusOK, nil) // puts the heartbeat off
		<-time.After(14 * time.Second)
		_, text := s.sent()
		wantSeqs(t, text, "1")
		if strings.HasSuffix(text, "\n\n") {
			t.Error("a heartbeat came though the feed was not idle")
		}
		<-time.After(31 * time.Second)
		if _, text = s.sent(); !strings.HasSuffix(text, "}\n\n\n\n") {
			t.Errorf("after three times 15 s: %q, want three empty lines", text)
		}
	})
}

func TestFeedTimeout(t *testing.T) {
	t.Parallel()
	t.Run("nothing sent", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, _ *changeLog, api *httpapi.API) {
			s := open(t, api, "?timeout=5000")
			<-time.After(4999 * time.Millisecond)
			if code, _ := s.sent(); code != 0 {
				t.Errorf("before the timeout: %d", code)
			}
			<-time.After(2 * time.Millisecond)
			code, _ := s.sent()
			if code != http.StatusRequestTimeout || !s.over() {
				t.Errorf("got %d, over: %t, want 408", code, s.over())
			}
			wantSeqs(t, s.body.String(), string(core.CodeChangesTimeout))
		})
	})
	t.Run("a change sent", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
			s := open(t, api, "?timeout=5000")
			<-time.After(4 * time.Second)
			l.add(1, core.StatusOK, nil)
			<-time.After(4 * time.Second)
			if s.over() {
				t.Error("the feed timed out in spite of a change")
			}
			<-time.After(2 * time.Second)
			code, text := s.sent()
			if code != http.StatusOK || !s.over() {
				t.Errorf("got %d, over: %t", code, s.over())
			}
			wantSeqs(t, text, "1", string(core.CodeChangesTimeout))
		})
	})
	t.Run("only heartbeats sent", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
			s := open(t, api, "?timeout=5000&heartbeat=2000&app=other")
			l.add(1, core.StatusOK, nil) // filtered out, so the timeout is not reset
			<-time.After(5 * time.Second)
			code, text := s.sent()
			if code != http.StatusOK || !strings.HasPrefix(text, "\n\n{") {
				t.Errorf("got %d %q", code, text)
			}
			wantSeqs(t, text, string(core.CodeChangesTimeout))
		})
	})
	t.Run("at the time of a heartbeat", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, _ *changeLog, api *httpapi.API) {
			s := open(t, api, "?timeout=2000&heartbeat=2000")
			<-time.After(2 * time.Second)
			if code, _ := s.sent(); code != http.StatusRequestTimeout {
				t.Errorf("got %d, want 408", code)
			}
		})
	})
}

func TestFeedGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
		for n := range uint64(9) {
			l.add(n+1, core.StatusOK, nil)
		}
		l.cut = core.Seq{Millis: 6}
		w := serve(api, request(t, "GET", "/1/status/dscape/changes?since=2", "", as("dscape")))
		golden(t, "feed gone", whole(w))
	})
}

// HEAD returns only the headers of the feed, whatever the feed contains.
func TestFeedHead(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	l.add(1, core.StatusOK, nil)
	l.add(2, core.StatusOK, nil)
	l.cut = core.Seq{Millis: 1}
	s := feedOver(t, l, status.Options{})
	_, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status = s }))
	for query, want := range map[string]struct {
		status int
		kind   string
	}{
		"?since=0": {200, "application/x-ndjson"}, "?feed=normal&since=0": {200, "application/x-ndjson"},
		"?feed=longpoll": {200, "application/x-ndjson"}, "?since=0-1": {410, "application/json"}, "?since=x": {400, "application/json"},
	} {
		r := request(t, "HEAD", url+"/1/status/dscape/changes"+query, "", as("dscape"))
		r.RequestURI = "" // must not be set in client requests
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || len(text) != 0 || answer.StatusCode != want.status || answer.Header.Get("Content-Type") != want.kind {
			t.Errorf("%s: got %d, %q, %v, headers %v", query, answer.StatusCode, text, err, answer.Header)
		}
		_ = answer.Body.Close()
	}
}

func TestFeedParameters(t *testing.T) {
	t.Parallel()
	api := newAPI(t, nil)
	for _, query := range []string{
		"include_docs=yes", "include_docs=", "include_docs=TRUE", "since=soon", "since=", "since=-1", "since=1-x",
		"feed=eventsource", "feed=", "heartbeat=0", "heartbeat=-1", "heartbeat=x", "heartbeat=3600001", "heartbeat=1e3", "heartbeat=",
		"timeout=0", "timeout=x", "timeout=99999999999", "app=", "app=..%2f", "app=A", "status=", "status=okay", "status=ok,", "since=%zz",
	} {
		w := serve(api, request(t, "GET", "/1/status/dscape/changes?"+query, "", as("dscape")))
		var body struct {
			Error  core.Code
			Reason string
		}
		name, _, _ := strings.Cut(query, "=")
		if query == "since=%zz" {
			name = "query"
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusBadRequest ||
			body.Error != core.CodeStatusParams || !strings.Contains(body.Reason, name) {
			t.Errorf("%s: got %d %s", query, w.Code, w.Body)
		}
	}
	if w := serve(api, request(t, "GET", "/1/status/dscape/changes", "", as("dscape"), "Last-Event-ID: x")); w.Code != http.StatusBadRequest {
		t.Errorf("Last-Event-ID: got %d", w.Code)
	}
}

func TestFeedStoreFails(t *testing.T) {
	t.Parallel()
	w := serve(newAPI(t, nil), request(t, "GET", "/1/status/dscape/changes", "", as("dscape")))
	golden(t, "feed query fail", whole(w))
}

func TestFeedsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := feedOver(t, &changeLog{}, status.Options{})
		api := newAPI(t, func(o *httpapi.Options) { o.Status, o.MaxFeeds = s, 2 })
		first := open(t, api, "")
		open(t, api, "")
		if code, _ := open(t, api, "").sent(); code != http.StatusServiceUnavailable {
			t.Errorf("the third got %d, want 503", code)
		}
		first.cancel()
		<-first.done
		if code, _ := open(t, api, "").sent(); code != http.StatusOK {
			t.Errorf("after another feed has ended: got %d, want 200", code)
		}
	})
}

func TestEndFeeds(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *changeLog, api *httpapi.API) {
		began, silent := open(t, api, ""), open(t, api, "?timeout=60000")
		l.add(1, core.StatusOK, func(e *core.Entry) { e.App = "hello" })
		other := open(t, api, "?timeout=60000&app=other")
		api.EndFeeds(t.Context())
		if !began.over() || !silent.over() || !other.over() {
			t.Error("not all feeds have ended")
		}
		_, text := began.sent()
		wantSeqs(t, text, "1", string(core.CodeHTTPUnavailable))
		if code, _ := other.sent(); code != http.StatusServiceUnavailable {
			t.Errorf("feed without output: got %d, want 503", code)
		}
		if code, _ := open(t, api, "").sent(); code != http.StatusServiceUnavailable {
			t.Errorf("a new feed got %d, want 503", code)
		}
	})
}
