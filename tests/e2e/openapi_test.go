package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// described is the service's own description of its API, in the form of OpenAPI.
// Every answer of the tests is compared with it, and every request that succeeded.
type described struct {
	once   sync.Once
	router routers.Router
	err    error
}

var contract described //nolint:gochecknoglobals // read once, for all tests

// read reads the description from a server.
func (d *described) read(s *server) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.api+"/openapi.json", http.NoBody)
	if err != nil {
		d.err = err
		return
	}
	response, err := s.client().Do(request)
	if err != nil {
		d.err = err
		return
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		d.err = err
		return
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		d.err = err
		return
	}
	document.Servers = nil // the description is that of all servers
	d.router, d.err = legacy.NewRouter(document)
}

// check fails the test of s if an answer, or the request of one that is a success, is
// not as the description says.
func (d *described) check(s *server, request *http.Request, got answer) {
	s.t.Helper()
	d.once.Do(func() { d.read(s) })
	if d.err != nil {
		s.t.Fatalf("reading the description of the API: %v", d.err)
	}
	asked := request.Clone(request.Context())
	asked.URL = &url.URL{Path: request.URL.Path, RawQuery: request.URL.RawQuery}
	if asked.URL.Path != "/" {
		asked.URL.Path = strings.TrimSuffix(asked.URL.Path, "/")
	}
	if asked.Method == http.MethodHead {
		asked.Method = http.MethodGet
	}
	route, parameters, err := d.router.FindRoute(asked)
	if err != nil {
		if got.status != http.StatusNotFound && got.status != http.StatusMethodNotAllowed {
			s.t.Errorf("%s %s was answered with %d, and is not described: %v", request.Method, request.URL.Path, got.status, err)
		}
		return
	}
	input := &openapi3filter.RequestValidationInput{
		Request: asked, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{
			ExcludeRequestBody: true, // a payload is of any type
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
			ExcludeResponseBody: request.Method == http.MethodHead || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json"),
		},
	}
	if got.status < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(s.t.Context(), input); err != nil {
			s.t.Errorf("the request %s %s is not as described: %v", request.Method, request.URL, err)
		}
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.status, Header: got.header, Options: input.Options,
	}
	output.SetBodyBytes([]byte(got.body))
	if err := openapi3filter.ValidateResponse(s.t.Context(), output); err != nil {
		s.t.Errorf("the answer to %s %s, %d, is not as described: %v\n%s", request.Method, request.URL.Path, got.status, err, got.body)
	}
}

// The description is valid.
func TestDescription(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.send(request{path: "/openapi.json", anonymous: true})
	document, err := openapi3.NewLoader().LoadFromData([]byte(got.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}
