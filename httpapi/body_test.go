package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
)

// Anybody can send bodies and withhold their ends: the memory of all of them is
// bounded, whatever they announce, and released when they are gone.
func TestBodiesShareTheirMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newAPI(t, func(o *httpapi.Options) {
			o.BodyMemory = 3 << 20 // a body counts three times
			o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
			}}
		})
		post := func(body io.Reader) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?user=indexzero", body)
			r.ContentLength = core.MaxPayload // which is not believed
			return serve(api, r)
		}
		var ends []*io.PipeWriter
		codes := make(chan int, 100)
		withhold := func(size int) {
			body, end := io.Pipe()
			ends = append(ends, end)
			go func() { codes <- post(body).Code }()
			go func() { _, _ = io.WriteString(end, "{"+strings.Repeat(" ", size)) }()
			synctest.Wait()
		}
		for range 100 {
			withhold(20 << 10) // each reserves 32 KiB, so thirty-two of them reserve everything
		}
		<-time.After(6 * time.Second)
		synctest.Wait()
		if n := len(codes); n != 68 {
			t.Errorf("%d of 100 were refused, want all but thirty-two", n)
		}
		for range len(codes) {
			if code := <-codes; code != http.StatusServiceUnavailable {
				t.Errorf("got %d, want 503", code)
			}
		}
		began := time.Now()
		w := post(strings.NewReader("{}"))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get("Connection") != "close" {
			t.Errorf("got %d, %v", w.Code, w.Header())
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it was refused after %s", took)
		}
		for _, end := range ends {
			_ = end.CloseWithError(io.ErrUnexpectedEOF)
		}
		synctest.Wait()
		if w := post(strings.NewReader("{" + strings.Repeat(" ", 300<<10) + "}")); w.Code != http.StatusOK {
			t.Errorf("when they are gone: got %d %s", w.Code, w.Body)
		}
	})
}

// Large bodies are read one after the other if the memory is only enough for one,
// and small bodies don't wait for them.
func TestLargeBodiesTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		entered, leave := make(chan struct{}, 10), make(chan struct{})
		api := newAPI(t, func(o *httpapi.Options) {
			o.BodyMemory = 40 << 20
			o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
				if len(r.Delivery.Body) > size/2 {
					entered <- struct{}{}
					<-leave
				}
				return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
			}}
		})
		post := func(size int) int {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?user=indexzero", strings.NewReader("{"+strings.Repeat(" ", size-2)+"}"))
			return serve(api, r).Code
		}
		codes := make(chan int, 10)
		for range 5 {
			go func() { codes <- post(size) }()
		}
		synctest.Wait()
		if n := len(entered); n < 1 || n > 3 {
			t.Errorf("%d large bodies are in memory at the same time", n)
		}
		if code := post(1000); code != http.StatusOK {
			t.Errorf("a small body got %d", code)
		}
		close(leave)
		for range 5 {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("got %d", code)
			}
		}
	})
}

// A delivery that would be refused anyway is refused before its body is read.
func TestOverload(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{admit: core.NewError(core.CodeHTTPUnavailable, "", core.ErrOverloaded)}
	})
	body := iotest.ErrReader(errors.New("the body was read"))
	w := serve(api, httptest.NewRequestWithContext(t.Context(), "POST", "/1/deploy", body))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "http:unavailable") {
		t.Errorf("got %d, %v, %s", w.Code, w.Header(), w.Body)
	}
}
