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

// After a response of the router itself the connection can be reused, even if
// the body of the request was not read.
func TestOwnResponsesKeepConnection(t *testing.T) {
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
			f := setup(t, c.addrs...)
			conn := f.dial()
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

// A client that stops in the middle of a body is disconnected.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	read := func(_ http.ResponseWriter, req *http.Request) { _, _ = io.Copy(io.Discard, req.Body) }
	respond := func(w http.ResponseWriter, req *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "that is enough")
		_ = control.Flush()
		read(w, req)
	}
	for name, c := range map[string]struct {
		drone http.HandlerFunc
		host  string
		stall time.Duration // also the limit of the drone's response, and of writing it; a minute if no drone waits for the body
		want  string
	}{
		"unknown app":         {nil, "other.example", time.Minute, "HTTP/1.1 404 "},
		"no drone":            {nil, "app.example", time.Minute, "HTTP/1.1 503 "},
		"a drone":             {read, "app.example", 10 * time.Second, "HTTP/1.1 408 "},
		"drone that responds": {respond, "app.example", 10 * time.Second, "HTTP/1.1 200 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var addrs []string
			if c.drone != nil {
				addrs = append(addrs, drone(t, c.drone))
			}
			conn := with(t, router.Options{Stall: c.stall}, addrs...).dial()
			if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\n{", c.host); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn) // until the router closes it
			if err != nil || !strings.HasPrefix(string(got), c.want) {
				t.Errorf("got response %q, %v; want prefix %q", got, err, c.want)
			}
		})
	}
}

// An app may respond while the request body is still being sent.
func TestResponseDuringBody(t *testing.T) {
	t.Parallel()
	f := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		for lines := bufio.NewScanner(req.Body); lines.Scan(); {
			if _, err := fmt.Fprintln(w, "received "+lines.Text()); err != nil || control.Flush() != nil {
				t.Errorf("writing the response failed at %q", lines.Text())
			}
		}
	}))
	body, rest := io.Pipe()
	send := func(text string) {
		if _, err := io.WriteString(rest, text); err != nil {
			t.Error(err)
		}
	}
	go send("one\n")
	resp, err := http.DefaultClient.Do(f.request(http.MethodPost, "app.example", "/", body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	response := bufio.NewReader(resp.Body)
	for i, want := range []string{"received one\n", "received two\n", "received three\n"} {
		if got, err := response.ReadString('\n'); got != want {
			t.Fatalf("part %d is %q (%v), want %q", i, got, err, want)
		}
		if i < 2 {
			send([]string{"two\n", "three\n"}[i])
		}
	}
	if err := rest.Close(); err != nil {
		t.Error(err)
	}
	if more, err := io.ReadAll(response); len(more) > 0 || err != nil {
		t.Errorf("after the last line: got %q, %v; want EOF", more, err)
	}
}

// An app may refuse a body without having read it.
func TestResponseBeforeBody(t *testing.T) {
	t.Parallel()
	f := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		// As Node.js does: the rest is read, unless the connection is to be closed.
		if req.Close {
			t.Error("the request has Connection: close")
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
	resp, text := f.do(f.request(http.MethodPost, "app.example", "/", body))
	if resp.StatusCode != http.StatusRequestEntityTooLarge || text != "too much\n" {
		t.Errorf("got response %d %q", resp.StatusCode, text)
	}
}

// Trailers are passed on in both directions.
func TestTrailers(t *testing.T) {
	t.Parallel()
	f := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, req.Trailer.Get("X-Check"))
		w.Header().Set("X-Sum", "7")
	}))
	conn := f.dial()
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
		t.Errorf("the app received trailer %q, the client %v, %v", text, resp.Trailer, err)
	}
}

// A client that waits for 100 Continue receives it if the app reads the body, and
// not if the app refuses the body.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	f := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("X-Refuse") != "" {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		if _, err := io.Copy(w, req.Body); err != nil {
			t.Error(err)
		}
	}))
	const head = "POST / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
	conn := f.dial()
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
		t.Errorf("after the body: got %q, %v", rest, err)
	}

	conn = f.dial()
	if _, err := io.WriteString(conn, head+"X-Refuse: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 413 ") {
		t.Errorf("refused body: got %q, %v; want status 413", all, err)
	}
}
