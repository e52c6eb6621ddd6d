package nodejitsu_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

var errSource = errors.New("the source broke")

// failing is a body that fails after a part, once let is closed.
func failing(let <-chan struct{}, err error) io.Reader {
	return io.MultiReader(strings.NewReader("truncated tgz"), readerFunc(func([]byte) (int, error) {
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
				return nil //nolint:nilerr // the test fails then
			}
			if _, err := io.ReadFull(r.Body, make([]byte, 10)); err != nil {
				return nil //nolint:nilerr // the test fails then
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
				t.Error("the platform accepted a truncated snapshot")
			}
		})
	}
}

// A permanent failure of the source stays permanent.
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

// endless is a body without end. It is not synchronized, so that the race detector
// reports reads after the call.
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
			noSecrets(t, err)
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

// handlerFunc is called with each log record.
type handlerFunc func(slog.Record)

func (f handlerFunc) Enabled(context.Context, slog.Level) bool { return true }

func (f handlerFunc) Handle(_ context.Context, r slog.Record) error { f(r); return nil }

func (f handlerFunc) WithAttrs([]slog.Attr) slog.Handler { return f }

func (f handlerFunc) WithGroup(string) slog.Handler { return f }

// UploadSnapshot waits for a read that is in progress when the platform refuses.
func TestUploadWaitsForTheRead(t *testing.T) {
	t.Parallel()
	answered, reading := make(chan struct{}), make(chan struct{})
	under := false // not synchronized: only reads of the call may write it
	body := io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) {
		under = true
		close(reading)
		<-answered
		for range 1000 { // long enough for a premature return
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
		Logger: slog.New(handlerFunc(func(slog.Record) { close(answered) })), // logged with the response
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
