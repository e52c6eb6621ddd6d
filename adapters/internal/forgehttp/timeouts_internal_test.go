package forgehttp

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A slow body is read, one that stalls is aborted, and the time between two reads
// does not count.
func TestBodyIdleTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, sink := io.Pipe()
		b := &body{ReadCloser: source, reader: source, idle: 30 * time.Second, cancel: func(error) {
			_ = source.CloseWithError(errors.New("canceled"))
		}}
		one := make([]byte, 1)
		for range 3 {
			time.AfterFunc(29*time.Second, func() { _, _ = sink.Write([]byte{'x'}) })
			if _, err := b.Read(one); err != nil {
				t.Fatalf("a slow byte: %v", err)
			}
			<-time.After(time.Hour) // the reader's own time, by the bubble's clock
		}
		start := time.Now()
		if _, err := b.Read(one); !errors.Is(err, errIdle) {
			t.Fatalf("stalled: got %v, want %v", err, errIdle)
		}
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("gave up after %v, want 30s", got)
		}
	})
}
