package e2e

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// provoked records the error codes that the tests of this package caused.
var provoked = &codes{seen: map[core.Code]map[int]bool{}}

// codes are the error codes in answers, each with its HTTP statuses.
type codes struct {
	mu   sync.Mutex
	seen map[core.Code]map[int]bool
}

// codeForm finds the codes in answers, and in the lines of a feed.
var codeForm = regexp.MustCompile(`"error":"([a-z_]+(?::[a-z_]+)+)"`)

// note records the codes in an answer.
func (c *codes) note(status int, text string) {
	for _, found := range codeForm.FindAllStringSubmatch(text, -1) {
		c.mu.Lock()
		code := core.Code(found[1])
		if c.seen[code] == nil {
			c.seen[code] = map[int]bool{}
		}
		c.seen[code][status] = true
		c.mu.Unlock()
	}
}

// watch returns body, and records the codes in what is read of it.
func (c *codes) watch(status int, body io.ReadCloser) io.ReadCloser {
	return &watched{ReadCloser: body, codes: c, status: status}
}

type watched struct {
	io.ReadCloser
	codes  *codes
	status int
	tail   string // the end of what was read, which may be the beginning of a code
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	text := w.tail + string(p[:n])
	w.codes.note(w.status, text)
	const longest = 100 // a code with its surroundings
	w.tail = text[max(len(text)-longest, 0):]
	return n, err
}

// statuses returns the HTTP status that each code comes with: first the codes of
// the original API's documentation, by its tables, then our own.
func statuses() map[core.Code]int {
	return map[core.Code]int{
		"deploy:db:failed_to_store_payload": http.StatusServiceUnavailable,
		"deploy:provider:not_supported":     http.StatusBadRequest,
		"deploy:github:no_pkg_json":         http.StatusBadGateway,
		"deploy:auth:bad_creds":             http.StatusUnauthorized,
		"deploy:github:download_tarball":    http.StatusBadGateway,
		"deploy:nodejitsu:upload_tarball":   http.StatusBadGateway,
		"deploy:tar:corrupt":                http.StatusInternalServerError,
		"deploy:tar:unsafe":                 http.StatusInternalServerError,
		"deploy:tar:too_large":              http.StatusInternalServerError,
		"deploy:tar:no_package":             http.StatusInternalServerError,
		"deploy:nodejitsu:start_app":        http.StatusInternalServerError,
		"deploy:no_payload":                 http.StatusBadRequest,
		"mw:auth:not_you":                   http.StatusUnauthorized,
		"mw:auth:auth_server_down":          http.StatusInternalServerError,
		"mw:auth:unauthorized":              http.StatusUnauthorized,
		"mw:auth:no_username":               http.StatusUnauthorized,
		"status:db:not_found":               http.StatusNotFound,
		"status:db:get_by_id":               http.StatusInternalServerError,
		"status:db:query_fail":              http.StatusInternalServerError,
		"status:changes:timeout":            http.StatusRequestTimeout,
		"status:changes:fatal":              http.StatusOK, // only as the last line of a feed that had begun
		"auth:github:get_user_failed":       http.StatusInternalServerError,
		"auth:github:update_user_failed":    http.StatusInternalServerError,
		"auth:github:no_credentials":        http.StatusBadRequest,
		"auth:github:bad_credentials":       http.StatusBadRequest,
		"auth:github:github_pairing_failed": http.StatusUnauthorized,

		"deploy:auth:bad_signature":   http.StatusUnauthorized,
		"deploy:payload:too_large":    http.StatusRequestEntityTooLarge,
		"deploy:payload:encoding":     http.StatusUnsupportedMediaType,
		"deploy:package:invalid":      http.StatusBadRequest,
		"deploy:release:not_held":     http.StatusConflict,
		"deploy:queue:conflict":       http.StatusConflict,
		"deploy:worker:interrupted":   http.StatusOK, // only in its entry: no request outlives the server
		"deploy:params:invalid":       http.StatusBadRequest,
		"deploy:gate:failed":          http.StatusBadGateway,
		"deploy:forge:not_configured": http.StatusBadRequest,
		"auth:forge:not_configured":   http.StatusNotFound,
		"auth:forge:pairing_failed":   http.StatusUnauthorized,
		"deploy:params:fixed":         http.StatusConflict,
		"deploy:app:other_source":     http.StatusConflict,
		"deploy:app:crashed":          http.StatusOK, // only in its entry, for which no request waits
		"deploy:redeliver:live":       http.StatusConflict,
		"deploy:redeliver:no_payload": http.StatusConflict,
		"deploy:cancel:over":          http.StatusConflict,
		"deploy:cancel:starting":      http.StatusConflict,
		"connect:params:invalid":      http.StatusBadRequest,
		"connect:account:not_paired":  http.StatusConflict,
		"connect:forge:failed":        http.StatusBadGateway,
		"status:params:invalid":       http.StatusBadRequest,
		"status:changes:gone":         http.StatusGone,
		"auth:params:invalid":         http.StatusBadRequest,
		"http:not_found":              http.StatusNotFound,
		"http:cross_origin":           http.StatusForbidden,

		"auth:account:password_required": http.StatusForbidden,
		"auth:account:not_found":         http.StatusNotFound,
		"auth:account:conflict":          http.StatusConflict,
		"auth:notification:failed":       http.StatusBadGateway,

		"http:method_not_allowed": http.StatusMethodNotAllowed,
		"http:unavailable":        http.StatusServiceUnavailable,
		"http:too_many_tries":     http.StatusTooManyRequests,
		"http:internal":           http.StatusInternalServerError,
	}
}

// The table above has the codes of the program's catalogue.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	table := slices.Sorted(maps.Keys(statuses()))
	catalogue := slices.DeleteFunc(core.Codes(), func(code core.Code) bool {
		return strings.HasPrefix(string(code), "platform:") // those are for the tests of the platform's API
	})
	slices.Sort(catalogue)
	if !slices.Equal(table, catalogue) {
		t.Errorf("got %v, want %v", table, catalogue)
	}
}

// check writes the codes of the catalogue that no test caused, or not with their
// status, and returns the exit code.
func (c *codes) check(out io.Writer) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	code := 0
	wanted := statuses()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		// Whether two releases of one entry meet between a read and a write is up
		// to the machine: the tests of core/deploy make them.
		if !c.seen[name][wanted[name]] && name != core.CodeConflict {
			_, _ = fmt.Fprintf(out, "FAIL: no test caused %d %s; seen with this code: %v\n",
				wanted[name], name, slices.Sorted(maps.Keys(c.seen[name])))
			code = 1
		}
		for status := range c.seen[name] {
			// A code within a list, a feed or an entry comes with that one's status.
			// A 500 becomes a 503 if a part behind the server did not answer in time.
			late := status == http.StatusServiceUnavailable && wanted[name] == http.StatusInternalServerError
			if status >= http.StatusBadRequest && status != wanted[name] && !late {
				_, _ = fmt.Fprintf(out, "FAIL: %s with status %d, want %d\n", name, status, wanted[name])
				code = 1
			}
		}
	}
	return code
}

// everythingRan reports whether all tests of the package ran.
func everythingRan() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.bench", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	count, err := strconv.Atoi(flag.Lookup("test.count").Value.String())
	return err == nil && count > 0
}
