package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
)

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a refused delivery was read")
	return 0, io.EOF
}

// Beyond what can be accepted at a time and may wait, deliveries are refused at
// once, without reading them. Everything else is answered as ever, and those that
// waited are accepted in their turn.
func TestAdmission(t *testing.T) {
	t.Parallel()
	const atOnce, waiting = 2, 3
	entered, leave := make(chan struct{}, atOnce+waiting), make(chan struct{})
	api := newAPI(t, func(o *httpapi.Options) {
		o.MaxDeliveries, o.MaxWaiting = atOnce, waiting
		o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
			entered <- struct{}{}
			<-leave
			return deploy.Receipt{Change: core.Change{Entry: core.Entry{ID: entryID, User: "dscape", Status: core.StatusIgnored}}}, nil
		}}
	})
	deliver := func(ctx context.Context, body io.Reader) *httptest.ResponseRecorder {
		r := request(t, http.MethodPost, "/1/deploy", "", "Content-Type: application/json")
		r.Body = io.NopCloser(body)
		w := httptest.NewRecorder()
		api.Handler().ServeHTTP(w, r.WithContext(ctx))
		return w
	}
	answers := make(chan int, atOnce+waiting)
	for range atOnce + waiting {
		go func() { answers <- deliver(t.Context(), strings.NewReader("{}")).Code }()
	}
	for range atOnce {
		<-entered
	}
	for api.Deliveries() < atOnce+waiting {
		runtime.Gosched() // the others have begun
	}

	w := deliver(t.Context(), unread{t})
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"http:unavailable"`) {
		t.Errorf("got %d %v %s, want 503 with Retry-After", w.Code, w.Header(), w.Body)
	}
	if len(entered) > 0 {
		t.Error("more deliveries were accepted at a time than may")
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := serve(api, request(t, http.MethodGet, path, "")).Code; got != http.StatusOK {
			t.Errorf("%s answers %d", path, got)
		}
	}

	close(leave)
	for range atOnce + waiting {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("got %d for a delivery that was not too many", got)
		}
	}
	if w := deliver(t.Context(), strings.NewReader("{}")); w.Code != http.StatusOK {
		t.Errorf("got %d after the others were answered", w.Code)
	}
}

// A sender that goes away while its delivery waits makes room for another.
func TestAdmissionOfGoneSender(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	api := newAPI(t, func(o *httpapi.Options) {
		o.MaxDeliveries, o.MaxWaiting = 1, 1
		o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
			entered <- struct{}{}
			<-leave
			return deploy.Receipt{Change: core.Change{Entry: core.Entry{Status: core.StatusIgnored}}}, nil
		}}
	})
	deliver := func(ctx context.Context) int {
		return serve(api, request(t, http.MethodPost, "/1/deploy", "{}", "Content-Type: application/json").WithContext(ctx)).Code
	}
	first := make(chan int)
	go func() { first <- deliver(t.Context()) }()
	<-entered
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := deliver(gone); got != http.StatusServiceUnavailable {
		t.Errorf("got %d for a sender that has gone", got)
	}
	second := make(chan int)
	go func() { second <- deliver(t.Context()) }()
	close(leave)
	if a, b := <-first, <-second; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("got %d and %d, want both accepted", a, b)
	}
}
