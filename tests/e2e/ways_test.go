package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// way returns a way to an address, for requests that a test wants to see, or
// to stop: before is called before a request goes on, and after when all of
// the answer is there but its end was not passed on. Either may be nil.
func way(t *testing.T, addr string, before func(*http.Request), after func(*http.Request, *http.Response)) *httptest.Server {
	t.Helper()
	return wayBy(t, &url.URL{Scheme: "http", Host: addr}, nil, before, after)
}

// wayBy is way to a URL, by a transport. It has TLS if the URL has.
func wayBy(t *testing.T, to *url.URL, transport http.RoundTripper, before func(*http.Request), after func(*http.Request, *http.Response)) *httptest.Server {
	t.Helper()
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // one side is gone
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // which the platform uses for its own address
		},
		ModifyResponse: func(r *http.Response) error {
			if after != nil {
				r.Body = &ending{ReadCloser: r.Body, end: func() { after(r.Request, r) }}
			}
			return nil
		},
	}
	w := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before != nil {
			before(r)
		}
		proxy.ServeHTTP(w, r)
	}))
	if to.Scheme == "https" {
		w.StartTLS()
	} else {
		w.Start()
	}
	t.Cleanup(w.Close)
	return w
}

// ending is a body that tells its end before its reader learns of it.
type ending struct {
	io.ReadCloser
	end  func()
	once sync.Once
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil {
		e.once.Do(e.end)
	}
	return n, err
}

// addressOf returns the host and port of a URL without a path.
func addressOf(url string) string { return strings.Trim(strings.TrimPrefix(url, "http://"), "/") }

// sender delivers to a server that may be killed, and must not be lost for it.
type sender struct {
	t      *testing.T
	server *server

	up sync.RWMutex // held for writing while the server is killed and started

	mu       sync.Mutex
	accepted map[string]string // entry by delivery
	refused  int               // attempts that were not accepted, or not answered
}

// restart kills the server and starts it again.
func (s *sender) restart() {
	s.up.Lock()
	defer s.up.Unlock()
	s.server.kill()
	s.server.start()
}

// deliver posts until the server accepts, as a person does whose server says that it
// failed; the delivery is always the same.
func (s *sender) deliver(r request, delivery string) error {
	for {
		id, err := s.attempt(r, delivery)
		switch {
		case s.t.Context().Err() != nil:
			return s.t.Context().Err()
		case err != nil:
			return err
		case id == "":
			s.mu.Lock()
			s.refused++
			s.mu.Unlock()
			<-time.After(10 * time.Millisecond)
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if first, again := s.accepted[delivery]; again && first != id {
			return fmt.Errorf("%s is entry %s, and was %s", delivery, id, first)
		}
		s.accepted[delivery] = id
		return nil
	}
}

// passes reports whether the code of a refusal says that the accounts, which are the
// platform's, or the store could not be reached.
func passes(code string) bool {
	return slices.Contains([]string{"mw:auth:auth_server_down", "deploy:db:failed_to_store_payload", "http:unavailable"}, code)
}

// attempt posts once. The id is empty where the delivery must be sent again.
func (s *sender) attempt(r request, delivery string) (id string, err error) {
	s.up.RLock()
	to := s.server.api + r.path
	s.up.RUnlock()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, to, strings.NewReader(r.body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "application/json")
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	req.Header.Set("X-GitHub-Delivery", delivery)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", nil //nolint:nilerr // it was killed
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", nil //nolint:nilerr // it was killed while it answered
	}
	var said struct {
		ID    string `json:"id"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return "", fmt.Errorf("got %s %s", response.Status, body)
	}
	if response.StatusCode/100 == 2 {
		return said.ID[strings.LastIndex(said.ID, "/")+1:], nil
	}
	if !passes(said.Error) {
		return "", fmt.Errorf("got %s %s", response.Status, body)
	}
	return "", nil
}
