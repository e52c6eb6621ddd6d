package router_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/router"
)

// After a response of the router's own the connection can be used for the next
// request, even if nobody has read the body.
func TestOwnAnswersKeepTheConnection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addrs  []string
		host   string
		status int
	}{
		"unknown":     {nil, "other.example", http.StatusNotFound},
		"not running": {nil, "app.example", http.StatusServiceUnavailable},
		"refused":     {[]string{closed(t)}, "app.example", http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.addrs...)
			conn := b.dial()
			in := bufio.NewReader(conn)
			for i := range 20 {
				body := strings.Repeat("a", 1+i*i*200)
				_, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", c.host, len(body), body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != c.status || resp.Close {
					t.Fatalf("request %d: status %d, closed %t, %v", i, resp.StatusCode, resp.Close, err)
				}
				if err := resp.Body.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A client that stops in the middle of a body is cut off, whoever waits for it.
func TestHalfABody(t *testing.T) {
	t.Parallel()
	waits := func(_ http.ResponseWriter, req *http.Request) { _, _ = io.Copy(io.Discard, req.Body) }
	answers := func(w http.ResponseWriter, req *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "that is enough")
		_ = control.Flush()
		waits(w, req)
	}
	for name, c := range map[string]struct {
		drone  http.HandlerFunc
		host   string
		answer string
	}{
		"nobody":               {nil, "other.example", "HTTP/1.1 404 "},
		"no drone":             {nil, "app.example", "HTTP/1.1 503 "},
		"a drone":              {waits, "app.example", "HTTP/1.1 408 "},
		"a drone that answers": {answers, "app.example", "HTTP/1.1 200 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var addrs []string
			if c.drone != nil {
				addrs = append(addrs, drone(t, c.drone))
			}
			conn := with(t, router.Options{Stall: 100 * time.Millisecond}, addrs...).dial()
			if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\n{", c.host); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn) // until the router closes it
			if err != nil || !strings.HasPrefix(string(answer), c.answer) {
				t.Errorf("answer %q, %v", answer, err)
			}
		})
	}
}

// An app may answer what it has read of a body while the rest is on its way.
func TestAnswerDuringBody(t *testing.T) {
	t.Parallel()
	b := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		for lines := bufio.NewScanner(req.Body); lines.Scan(); {
			if _, err := fmt.Fprintln(w, "heard "+lines.Text()); err != nil || control.Flush() != nil {
				t.Errorf("the answer breaks off at %q", lines.Text())
			}
		}
	}))
	body, rest := io.Pipe()
	say := func(text string) {
		if _, err := io.WriteString(rest, text); err != nil {
			t.Error(err)
		}
	}
	go say("one\n")
	resp, err := http.DefaultClient.Do(b.request(http.MethodPost, "app.example", "/", body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer := bufio.NewReader(resp.Body)
	for i, want := range []string{"heard one\n", "heard two\n", "heard three\n"} {
		if got, err := answer.ReadString('\n'); got != want {
			t.Fatalf("part %d is %q (%v), want %q", i, got, err, want)
		}
		if i < 2 {
			say([]string{"two\n", "three\n"}[i])
		}
	}
	if err := rest.Close(); err != nil {
		t.Error(err)
	}
	if more, err := io.ReadAll(answer); len(more) > 0 || err != nil {
		t.Errorf("then comes %q (%v)", more, err)
	}
}

// An app may refuse a body without having read it.
func TestAnswerBeforeBody(t *testing.T) {
	t.Parallel()
	b := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		// As Node.js does: the rest is read, unless the connection is to end.
		if req.Close {
			t.Error("the app is told that the connection ends")
		}
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		_ = control.Flush()
		_, _ = io.Copy(io.Discard, req.Body)
	}))
	body := strings.NewReader(strings.Repeat("a", 4<<20))
	resp, text := b.do(b.request(http.MethodPost, "app.example", "/", body))
	if resp.StatusCode != http.StatusRequestEntityTooLarge || text != "too much\n" {
		t.Errorf("answer %d %q", resp.StatusCode, text)
	}
}

// Trailers pass in both directions.
func TestTrailers(t *testing.T) {
	t.Parallel()
	b := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, req.Trailer.Get("X-Check"))
		w.Header().Set("X-Sum", "7")
	}))
	conn := b.dial()
	_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\n\r\n3\r\nabc\r\n0\r\nX-Check: 9\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != "9" || resp.Trailer.Get("X-Sum") != "7" {
		t.Errorf("the app got trailer %q, the client %v, %v", text, resp.Trailer, err)
	}
}

// A client that waits for 100 Continue gets one if the app wants the body, and
// none if the app refuses it.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	b := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("X-Refuse") != "" {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		if _, err := io.Copy(w, req.Body); err != nil {
			t.Error(err)
		}
	}))
	const head = "POST / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
	conn := b.dial()
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := io.WriteString(conn, "abc"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(in); err != nil || strings.Contains(string(rest), "100 Continue") || !strings.HasSuffix(string(rest), "\r\n\r\nabc") {
		t.Errorf("then %q, %v", rest, err)
	}

	conn = b.dial()
	if _, err := io.WriteString(conn, head+"X-Refuse: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 413 ") {
		t.Errorf("a refused body got %q, %v", all, err)
	}
}
