package httpapi_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
	server "github.com/nodejitsu/webhooks/httpapi/serve"
)

// The field with the token has exactly one interpretation, or is refused. Its value
// appears neither in the response nor in the log.
func TestHostileCredentialsField(t *testing.T) {
	t.Parallel()
	field := `"credentials":"dscape:` + secret + `"`
	for name, c := range map[string]struct {
		body string
		want string // argument of the use case; "" if the body is refused
	}{
		"as it should be":        {"{" + field + "}", "dscape:" + secret},
		"beside others":          {`{"a":{"credentials":"evil:x"},"b":["credentials"],` + field + `,"c":1}`, "dscape:" + secret},
		"escaped":                {`{"credent\u0069als":"dsc\u0061pe:` + secret + `"}`, "dscape:" + secret},
		"another case beside it": {`{"CREDENTIALS":"evil:x",` + field + `,"Credentials":"evil:x"}`, "dscape:" + secret},
		"several colons":         {`{"credentials":"dscape:a:b:` + secret + `"}`, "dscape:a:b:" + secret},
		"of 60 KB":               {`{"credentials":"dscape:` + strings.Repeat("x", 60<<10) + `"}`, "dscape:" + strings.Repeat("x", 60<<10)},
		"twice":                  {"{" + field + `,"credentials":"evil:x"}`, ""},
		"twice, one escaped":     {"{" + field + `,"\u0063redentials":"evil:x"}`, ""},
		"twice, the same":        {"{" + field + "," + field + "}", ""},
		"twice, one null":        {`{"credentials":null,` + field + "}", ""},
		"not UTF-8":              {"{\"credentials\":\"dscape:" + secret + "\xff\"}", ""},
		"not UTF-8 beside it":    {"{\"a\":\"\xff\"," + field + "}", ""},
		"half a pair":            {`{"credentials":"dscape:` + secret + `\ud800"}`, ""},
		"NUL":                    {"{\"credentials\":\"dscape:" + secret + "\x00\"}", ""},
		"NUL, escaped":           {`{"credentials":"dscape:` + secret + `\u0000"}`, ""},
		"CR LF, escaped":         {`{"credentials":"dscape:` + secret + `\r\nX-Evil: 1"}`, ""},
		"a byte order mark":      {"\ufeff{" + field + "}", ""},
		"nested 10,000 deep":     {`{"a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + "," + field + "}", ""},
		"a list of it":           {"[{" + field + "}]", ""},
		"a list in it":           {`{"credentials":["dscape:` + secret + `"]}`, ""},
		"a number out of range":  {`{"credentials":1e999999}`, ""},
		"another out of range":   {`{"a":1e999999,` + field + "}", "dscape:" + secret},
		"more behind it":         {"{" + field + "}{" + field + "}", ""},
		"cut off":                {"{" + field, ""},
		"a form":                 {"credentials=dscape:" + secret, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log records
			got := ""
			api := newAPI(t, func(o *httpapi.Options) {
				o.Logger = log.logger()
				o.Auth = fakeAuth{pair: func(_ string, p auth.Pair) (auth.Pairing, error) {
					got = p.Credentials.Reveal()
					return auth.Pairing{Login: "dscape", App: "*"}, nil
				}}
			})
			w := serve(api, request(t, "POST", "/1/auth/github", c.body, as("dscape")))
			if got != c.want {
				t.Errorf("the use case got %.100q, want %.100q", got, c.want)
			}
			var body struct{ Error core.Code }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if want := map[bool]core.Code{true: core.CodeBadCredentials, false: ""}[c.want == ""]; body.Error != want || (w.Code == 200) != (want == "") {
				t.Errorf("got %d %.200s, want %q", w.Code, w.Body, want)
			}
			if text := w.Body.String() + log.String(); strings.Contains(text, secret) || strings.Contains(text, "evil") {
				t.Errorf("the credentials are disclosed: %.500s", text)
			}
		})
	}
}

// Credentials that a proxy in front may have parsed differently are refused on
// every route.
func TestHostileAuthorization(t *testing.T) {
	t.Parallel()
	basic := func(text string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
	}
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
			t.Error("a delivery was accepted")
			return deploy.Receipt{}, nil
		}}
	})
	for name, headers := range map[string][]string{
		"two":                 {as("dscape"), basic("evil:" + secret)},
		"two, one of nothing": {"Authorization: ", as("dscape")},
		"two, one of Travis":  {"Authorization: 0f1e2d3c4b5a6978", as("dscape")},
		"NUL in the user":     {basic("dscape\x00:" + secret)},
		"CR LF in the user":   {basic("dscape\r\n:" + secret)},
		"CR LF in the rest":   {basic("dscape:" + secret + "\r\n")},
		"not UTF-8":           {basic("dsc\xffape:" + secret)},
		"no padding":          {strings.TrimRight(as("dscape"), "=") + "!"},
		"for a proxy":         {strings.Replace(as("dscape"), "Basic", "Digest", 1)},
		"two at once":         {as("dscape") + ", " + strings.TrimPrefix(as("dscape"), "Authorization: ")},
		"of 60 KB":            {basic(strings.Repeat("x", 45<<10) + secret)},
	} {
		for _, target := range []string{"POST /", "POST /1/deploy", "GET /1/status/dscape/webhooks", "GET /1/status/dscape/changes", "GET /1/status/dscape/changes/" + entryID, "POST /1/auth/github"} {
			method, path, _ := strings.Cut(target, " ")
			w := serve(api, request(t, method, path, "{}", headers...))
			if w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), secret) {
				t.Errorf("%s, %s: got %d %s, want 401", name, target, w.Code, w.Body)
			}
		}
	}
}

// No text of a request can begin a new line in the response's header.
func TestRequestCannotInjectHeaders(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{
			deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				return deploy.Receipt{Change: changeOf(core.StatusPending)}, nil
			},
			wait: func(context.Context, string) (core.Change, error) { return changeOf(core.StatusPending), nil },
		}
		o.Status = fakeStatus{list: func(string, string, int, int) ([]core.Entry, int, error) { return nil, 100, nil }}
	})
	const evil = "%0d%0aX-Evil:%201%0d%0a%0d%0a<script>"
	for _, c := range []struct {
		target  string
		headers []string
	}{
		{"POST /", []string{"Host: a\r\nX-Evil: 1"}},
		{"POST /", []string{"Host: a/../\"><script>"}},
		{"POST /", []string{"Prefer: wait=1\r\nX-Evil: 1"}},
		{"POST /", []string{"Prefer: respond-async; x=\"\r\nX-Evil: 1\""}},
		{"POST /?branch=" + evil, nil},
		{"POST /?user=" + evil, nil},
		{"GET /1/status/dscape/webhooks/" + evil, nil},
		{"GET /1/status/" + evil + "/webhooks", nil},
		{"GET /1/status/dscape/webhooks?skip=1&limit=1&x=" + evil, []string{"Host: a\r\nX-Evil: 1"}},
		{"GET /1/status/dscape/webhooks?skip=" + evil, nil},
		{"GET /1/status/dscape/changes?since=" + evil, []string{"Accept: text/event-stream"}},
		{"GET /1/status/dscape/changes", []string{"Accept: text/event-stream", "Last-Event-ID: 1-0\r\ndata: evil"}},
		{"GET /" + evil, nil},
	} {
		method, path, _ := strings.Cut(c.target, " ")
		w := serve(api, request(t, method, path, "{}", append(c.headers, as("dscape"))...))
		for name, values := range w.Header() {
			if text := name + strings.Join(values, ""); strings.ContainsAny(text, "\r\n") || strings.Contains(text, "<script") {
				t.Errorf("%s %q: header %s: %q", c.target, c.headers, name, values)
			}
		}
		if w.Code >= 500 || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s: got %d %s", c.target, w.Code, w.Body)
		}
	}
}

// limited starts a server with limits on how long the headers of a request, and a
// whole request, may take. Each delivery is sent to deliveries.
func limited(t *testing.T, headers, request time.Duration, deliveries chan<- string) *server.Server {
	t.Helper()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Wait = -1
		o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
			deliveries <- string(r.Delivery.Body)
			return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
		}}
	})
	s := server.New(server.Options{
		Name: "listen", Addr: "127.0.0.1:0", HeaderTimeout: headers, ReadTimeout: request,
		Fail: func(err error) { t.Error(err) },
	})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Serve(api.Handler())
	t.Cleanup(func() { stop(t, s, api) })
	return s
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// The server disconnects clients that stop in the middle of a request.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	deliveries := make(chan string, 100)
	// Each server has the one limit that its clients exceed, so that a client which is
	// delayed exceeds no other.
	inHeaders := limited(t, 100*time.Millisecond, time.Hour, deliveries)
	inBody := limited(t, time.Hour, 300*time.Millisecond, deliveries)
	for name, c := range map[string]struct {
		text string
		want int // 0: no response of the handler
	}{
		"nothing at all":            {"", 0},
		"half a request line":       {"POST / HT", 0},
		"half the headers":          {"POST / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n", 0},
		"no body":                   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", 400},
		"half a body":               {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{", 400},
		"half a chunk":              {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{", 400},
		"no last chunk":             {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 400},
		"half a trailer":            {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: b\r\n", 400},
		"half the credentials":      {"POST /1/auth/github HTTP/1.1\r\nHost: x\r\n" + as("dscape") + "\r\nContent-Length: 20\r\n\r\n{", 400},
		"a body after 100 Continue": {"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inBody
			if c.want == 0 {
				s = inHeaders
			}
			conn := dial(t, s.Addr())
			_, err := io.WriteString(conn, c.text)
			var all []byte
			if err == nil {
				all, err = io.ReadAll(conn) // until the server closes it
			}
			if c.want == 0 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
				err = nil // closed before the text arrived
			}
			if err != nil {
				t.Fatal(err)
			}
			text := strings.TrimPrefix(string(all), "HTTP/1.1 100 Continue\r\n\r\n")
			if c.want == 0 {
				if text != "" && !strings.HasPrefix(text, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain") {
					t.Errorf("got %q, want EOF", text)
				}
				return
			}
			answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
			if err != nil {
				t.Fatalf("%v: %q", err, text)
			}
			defer func() { _ = answer.Body.Close() }()
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != c.want || !json.Valid(body) {
				t.Errorf("got %d %s (%v), want %d", answer.StatusCode, body, err, c.want)
			}
		})
	}
	t.Cleanup(func() {
		if len(deliveries) > 0 {
			t.Errorf("an incomplete delivery was accepted: %q", <-deliveries)
		}
	})
}

// Many clients that send nothing do not block others.
func TestSlowSendersDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	s, url := started(t, newAPI(t, nil)) // with the default limits, so that all stay connected
	for range 200 {
		if _, err := io.WriteString(dial(t, s.Addr()), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 26214400\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, url+"/healthz").StatusCode; got != http.StatusOK {
		t.Errorf("got %d", got)
	}
}

// After a request that net/http and a proxy in front may parse differently the
// connection is closed; after all others it can be reused.
func TestAmbiguousRequestsCloseConnection(t *testing.T) {
	t.Parallel()
	const body, last = "\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		want int // responses, including the one to last
	}{
		"a length":                         {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 2},
		"chunks":                           {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked" + body, 1},
		"a length and chunks":              {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nTransfer-Encoding: chunked" + body, 1},
		"chunks and a length":              {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 12" + body, 1},
		"chunks, folded":                   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 12" + body, 1},
		"chunks in HTTP/1.0":               {"POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 1},
		"unread chunks of an unknown path": {"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked" + body, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deliveries := make(chan string, 10)
			s := limited(t, time.Hour, time.Hour, deliveries)
			conn := dial(t, s.Addr())
			if _, err := io.WriteString(conn, c.text+last); err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(string(all), "HTTP/1."); got != c.want {
				t.Errorf("%d responses, want %d: %s", got, c.want, all)
			}
		})
	}
}

// A reader that stops reading does not delay others.
func TestSlowReaderDoesNotDelayOthers(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	feed := feedOver(t, l, status.Options{Batch: 1})
	s, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status, o.WriteTimeout = feed, time.Hour }))
	stuck := rawFeed(t, s.Addr())
	addLarge(l, 1, 1)
	if _, err := bufio.NewReaderSize(stuck, 16).Peek(1); err != nil { // it has begun, and is not read further
		t.Fatal(err)
	}
	other := bufio.NewReader(get(t, url+"/1/status/dscape/changes?since=0&include_docs=true").Body)
	for n := uint64(1); n <= 30; n++ { // far more than the buffers hold
		if n > 1 {
			addLarge(l, n, n)
		}
		line, err := other.ReadString('\n')
		if err != nil {
			t.Fatalf("change %d: %v", n, err)
		}
		if len(line) < large {
			t.Fatalf("change %d: %.200s", n, line)
		}
	}
	_ = stuck.Close() // so that the server does not wait for it
}
