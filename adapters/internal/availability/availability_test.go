package availability_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/availability"
)

func TestState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		handler := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		s := &availability.State{Logger: slog.New(handler), Minor: true, Begins: "begins", Lasts: "lasts", Ends: "ends", Attrs: []any{"path", "p"}}
		if s.Fail() != nil || s.Err() != nil || s.End() {
			t.Error("there is an outage before one began")
		}
		refused := errors.New("refused")
		for i := range 100 { // for 150 s
			if began := s.Begin(refused); began != (i == 0) {
				t.Errorf("%d: began %t", i, began)
			}
			if err := s.Fail(); !errors.Is(err, refused) || !errors.Is(s.Err(), refused) {
				t.Errorf("%d: got %v", i, err)
			}
			time.Sleep(1500 * time.Millisecond) // of the bubble
		}
		if !s.End() || s.End() || s.Err() != nil {
			t.Error("the outage did not end once")
		}
		want := `level=WARN msg=begins error=refused path=p
level=WARN msg=lasts error=refused lasts=1m0s failed_calls=40 path=p
level=WARN msg=lasts error=refused lasts=2m0s failed_calls=80 path=p
level=INFO msg=ends lasted=2m30s failed_calls=100 path=p
`
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		s.Begin(refused)
		s.EndAfter(time.Second)
		if s.Err() == nil {
			t.Error("the second outage ended at once")
		}
		time.Sleep(time.Second)
		s.EndAfter(time.Second)
		if s.Err() != nil {
			t.Error("the second outage did not end")
		}
		if n := strings.Count(out.String(), "begins"); n != 2 {
			t.Errorf("the second outage was logged %d times", n-1)
		}
	})
}
