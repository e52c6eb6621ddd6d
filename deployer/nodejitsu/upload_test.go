package nodejitsu_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// builder serves uploads; handler reads the body, or does not.
func builder(t *testing.T, handler http.HandlerFunc) *nodejitsu.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
}

// upload sends body and returns what was printed.
func upload(ctx context.Context, c *nodejitsu.Client, body io.Reader) (string, error) {
	var out strings.Builder
	err := c.UploadSnapshot(ctx, "maciej", "a", "1.0.0-9f", body, &out)
	return out.String(), err
}

// writerFunc is a writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// readerFunc is a reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// never is a body that must not be read.
func never(t *testing.T) io.Reader {
	return readerFunc(func([]byte) (int, error) {
		t.Error("the body was read")
		return 0, io.EOF
	})
}

func TestUploadPassesOutputOnAsItComes(t *testing.T) {
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
					t.Errorf("passed on %q, want %q", got, line)
				}
			case <-r.Context().Done():
				t.Errorf("%q was not passed on", line)
				return
			}
		}
	})
	out := writerFunc(func(p []byte) (int, error) {
		seen <- string(p)
		return len(p), nil
	})
	if err := c.UploadSnapshot(t.Context(), "maciej", "a", "1", strings.NewReader("a tgz"), out); err != nil {
		t.Fatal(err)
	}
}

// closer is a body that notes whether it was closed.
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

func TestUploadTellsHowTheBuildEnded(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name    string
		trailer map[string]string
		text    string // of the error; "" for none
		again   bool
	}{
		{"well", nil, "", false},
		{"well, with empty trailers", map[string]string{"X-Build-Failure": ""}, "", false},
		{"badly", map[string]string{"X-Build-Failure": "npm ended with 1"}, "nodejitsu: upload snapshot: npm ended with 1", false},
		{"badly, by the platform's fault", map[string]string{"X-Build-Failure": "no space", "X-Build-Retry": "1"}, "nodejitsu: upload snapshot: no space", true},
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

// A platform that refuses, or knows the snapshot, need not be sent anything.
func TestUploadNobodyWants(t *testing.T) {
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

var errSource = errors.New("the source broke")

// failing is a body that breaks after a part, when it is let.
func failing(let <-chan struct{}, err error) io.Reader {
	return io.MultiReader(strings.NewReader("half a tgz"), readerFunc(func([]byte) (int, error) {
		<-let
		return 0, err
	}))
}

func TestUploadOfBodyThatFails(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(http.ResponseWriter, *http.Request, chan<- struct{}) error{
		"before the answer": func(_ http.ResponseWriter, r *http.Request, let chan<- struct{}) error {
			close(let)
			_, err := io.Copy(io.Discard, r.Body)
			return err
		},
		"after the answer began": func(w http.ResponseWriter, r *http.Request, let chan<- struct{}) error {
			control := http.NewResponseController(w)
			if err := control.EnableFullDuplex(); err != nil {
				return nil //nolint:nilerr // which fails the test
			}
			if _, err := io.ReadFull(r.Body, make([]byte, 10)); err != nil {
				return nil //nolint:nilerr // which fails the test
			}
			_, _ = io.WriteString(w, "reading\n")
			_ = control.Flush()
			close(let)
			_, err := io.Copy(io.Discard, r.Body)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			let := make(chan struct{})
			read := make(chan error, 1)
			c := builder(t, func(w http.ResponseWriter, r *http.Request) { read <- handler(w, r, let) })
			_, err := upload(t.Context(), c, failing(let, core.Transient(errSource, 0)))
			check(t, err, meaning{again: true})
			if !errors.Is(err, errSource) {
				t.Errorf("%v is not the source's error", err)
			}
			if err := <-read; err == nil {
				t.Error("the platform took half a snapshot for a whole one")
			}
		})
	}
}

// A failure of the source that is final is not made one that passes.
func TestUploadOfBodyThatFailsForGood(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	close(let)
	c := builder(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	_, err := upload(t.Context(), c, failing(let, errSource))
	check(t, err, meaning{})
	if !errors.Is(err, errSource) {
		t.Error(err)
	}
}

// endless is a body without end. It is not synchronized: the race detector
// sees who reads it when it must not be read any more.
type endless struct{ reads int }

func (e *endless) Read(p []byte) (int, error) {
	e.reads++
	clear(p)
	return len(p), nil
}

func TestUploadDoesNotReadOnAfterItReturned(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		c := builder(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 100_000))
			refuse(w, http.StatusConflict, "conflict", "Enough")
		})
		for range 30 {
			body := &endless{}
			_, err := upload(t.Context(), c, body)
			body.reads = -1
			tellsNothing(t, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		come := make(chan struct{})
		c := builder(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 100_000))
			come <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body)
		})
		for range 30 {
			body := &endless{}
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-come; cancel() }()
			_, err := upload(ctx, c, body)
			body.reads = -1
			check(t, err, meaning{})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
	t.Run("done", func(t *testing.T) {
		t.Parallel()
		c := builder(t, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.ReadFull(r.Body, make([]byte, 100_000))
			_, _ = io.WriteString(w, "I saw enough\n")
		})
		for range 30 {
			body := &endless{}
			out, err := upload(t.Context(), c, body)
			body.reads = -1
			if err == nil && out != "I saw enough\n" {
				t.Errorf("printed %q", out)
			}
		}
	})
}

// handlerFunc is told each log line.
type handlerFunc func(slog.Record)

func (f handlerFunc) Enabled(context.Context, slog.Level) bool { return true }

func (f handlerFunc) Handle(_ context.Context, r slog.Record) error { f(r); return nil }

func (f handlerFunc) WithAttrs([]slog.Attr) slog.Handler { return f }

func (f handlerFunc) WithGroup(string) slog.Handler { return f }

// A read that is under way when the platform refuses is waited for.
func TestUploadWaitsForTheRead(t *testing.T) {
	t.Parallel()
	answered, reading := make(chan struct{}), make(chan struct{})
	under := false // not synchronized: nobody but the call's own reads may write it
	body := io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) {
		under = true
		close(reading)
		<-answered
		for range 1000 { // the time that a return would need
			_ = sha256.Sum256(make([]byte, 1000))
		}
		under = false
		return 0, errSource
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.ReadFull(r.Body, make([]byte, 4))
		<-reading
		refuse(w, http.StatusConflict, "conflict", "Enough")
	}))
	t.Cleanup(server.Close)
	c := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return server.URL }, Username: "maciej",
		Logger: slog.New(handlerFunc(func(slog.Record) { close(answered) })), // of the answer
	})
	t.Cleanup(c.Close)
	_, err := upload(t.Context(), c, body)
	if under {
		t.Error("returned while the body was being read")
	}
	check(t, err, meaning{})
	if refused, ok := errors.AsType[*nodejitsu.Error](err); !ok || refused.Status != http.StatusConflict {
		t.Errorf("%v is not the refusal", err)
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
	err := c.UploadSnapshot(ctx, "maciej", "a", "1", strings.NewReader("a tgz"), out)
	check(t, err, meaning{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-ended
}

// A build that nobody can be told of is not waited for.
func TestUploadOutputThatFails(t *testing.T) {
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
	err := c.UploadSnapshot(t.Context(), "maciej", "a", "1", strings.NewReader("a tgz"), out)
	check(t, err, meaning{})
	if !errors.Is(err, full) {
		t.Error(err)
	}
	<-ended
}

func TestUploadAnswerBreaksOff(t *testing.T) {
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

func TestSnapshotBreaksOff(t *testing.T) {
	t.Parallel()
	c := builder(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half a tgz")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	file, err := c.Snapshot(t.Context(), "maciej", "a", "1")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(file); err == nil {
		t.Errorf("%q is all", text)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}
