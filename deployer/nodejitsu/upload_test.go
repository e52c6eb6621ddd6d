package nodejitsu_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// builder returns a client of a server whose handler serves uploads.
func builder(t *testing.T, handler http.HandlerFunc) *nodejitsu.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
}

// upload uploads body and returns the build's output.
func upload(ctx context.Context, c *nodejitsu.Client, body io.Reader) (string, error) {
	var out strings.Builder
	err := c.UploadSnapshot(ctx, "maciej", "a", "1.0.0-9f", "", body, &out)
	return out.String(), err
}

// writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// readerFunc is an io.Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// never is a body that must not be read.
func never(t *testing.T) io.Reader {
	return readerFunc(func([]byte) (int, error) {
		t.Error("the body was read")
		return 0, io.EOF
	})
}

func TestUploadStreamsOutput(t *testing.T) {
	t.Parallel()
	seen := make(chan string)
	c := builder(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for _, line := range []string{"one\n", "two\n", "three\n"} {
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
			select {
			case got := <-seen: // before the next is printed
				if got != line {
					t.Errorf("got %q, want %q", got, line)
				}
			case <-r.Context().Done():
				t.Errorf("%q was not written to out", line)
				return
			}
		}
	})
	out := writerFunc(func(p []byte) (int, error) {
		seen <- string(p)
		return len(p), nil
	})
	if err := c.UploadSnapshot(t.Context(), "maciej", "a", "1", "", strings.NewReader("a tgz"), out); err != nil {
		t.Fatal(err)
	}
}

// closer is a body that records whether it was closed.
type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestUploadSendsAll(t *testing.T) {
	t.Parallel()
	tgz := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	var got [32]byte
	var length int64
	var expect string
	c := builder(t, func(_ http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		_, _ = io.Copy(hash, r.Body)
		got, length, expect = [32]byte(hash.Sum(nil)), r.ContentLength, r.Header.Get("Expect")
	})
	body := &closer{Reader: iotest.HalfReader(bytes.NewReader(tgz))}
	if out, err := upload(t.Context(), c, body); err != nil || out != "" {
		t.Fatal(out, err)
	}
	if got != sha256.Sum256(tgz) {
		t.Error("something else arrived")
	}
	if length != -1 || expect != "100-continue" {
		t.Errorf("length %d, Expect %q", length, expect)
	}
	if body.closed {
		t.Error("the body was closed")
	}
}

func TestUploadBuildOutcome(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name    string
		trailer map[string]string
		text    string // of the error; "" for none
		again   bool
	}{
		{"success", nil, "", false},
		{"success, with empty trailers", map[string]string{"X-Build-Failure": ""}, "", false},
		{"failure", map[string]string{"X-Build-Failure": "npm ended with 1"}, "nodejitsu: upload snapshot: npm ended with 1", false},
		{"failure of the platform", map[string]string{"X-Build-Failure": "no space", "X-Build-Retry": "1"}, "nodejitsu: upload snapshot: no space", true},
	} {
		for _, announced := range []bool{true, false} {
			c := builder(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				prefix := http.TrailerPrefix
				if announced {
					prefix = ""
					w.Header().Set("Trailer", "x-build-failure, x-build-retry")
				}
				_, _ = io.WriteString(w, "built\n")
				_ = http.NewResponseController(w).Flush()
				for name, value := range one.trailer {
					w.Header().Set(prefix+name, value)
				}
			})
			out, err := upload(t.Context(), c, strings.NewReader("a tgz"))
			if out != "built\n" {
				t.Errorf("%s: printed %q", one.name, out)
			}
			if one.text == "" {
				if err != nil {
					t.Errorf("%s: %v", one.name, err)
				}
				continue
			}
			check(t, err, meaning{again: one.again})
			if err.Error() != one.text {
				t.Errorf("%s: error %q, want %q", one.name, err, one.text)
			}
			if failed, ok := errors.AsType[*nodejitsu.Error](err); !ok || failed.Status != 0 {
				t.Errorf("%s: %+v", one.name, failed)
			}
		}
	}
}

// If the platform refuses, or has the snapshot, the body is not sent.
func TestUploadNotNeeded(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]meaning{
		401: {is: core.ErrUnauthorized}, 403: {is: core.ErrForbidden}, 404: {is: core.ErrNotFound}, 409: {}, 413: {}, 503: {again: true},
	} {
		c := builder(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, "no", "Not that") })
		out, err := upload(t.Context(), c, never(t))
		check(t, err, want)
		if out != "" || err.Error() != "nodejitsu: upload snapshot: Not that" {
			t.Errorf("%d: %q, %v", status, out, err)
		}
	}
	c := builder(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "I have it\n") })
	if out, err := upload(t.Context(), c, never(t)); err != nil || out != "I have it\n" {
		t.Error(out, err)
	}
}

func TestUploadCancelledWhileBuilding(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	c := builder(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "building\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	err := c.UploadSnapshot(ctx, "maciej", "a", "1", "", strings.NewReader("a tgz"), out)
	check(t, err, meaning{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-ended
}

// If writing the output fails, the upload does not wait for the build.
func TestUploadOutputFailure(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	c := builder(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "building\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	full := errors.New("the disk is full")
	out := writerFunc(func([]byte) (int, error) { return 0, full })
	err := c.UploadSnapshot(t.Context(), "maciej", "a", "1", "", strings.NewReader("a tgz"), out)
	check(t, err, meaning{})
	if !errors.Is(err, full) {
		t.Error(err)
	}
	<-ended
}

func TestUploadTruncatedResponse(t *testing.T) {
	t.Parallel()
	c := builder(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "building\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	out, err := upload(t.Context(), c, strings.NewReader("a tgz"))
	check(t, err, meaning{again: true})
	if out != "building\n" {
		t.Errorf("printed %q", out)
	}
}

func TestTruncatedSnapshot(t *testing.T) {
	t.Parallel()
	c := builder(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "truncated tgz")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	file, err := c.Snapshot(t.Context(), "maciej", "a", "1")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(file); err == nil {
		t.Errorf("%q was read without an error", text)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}
