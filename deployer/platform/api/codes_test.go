package api_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/deployer/platform/api"
)

// provoked holds the codes that the tests have provoked.
var provoked codes //nolint:gochecknoglobals // of all tests

type codes struct {
	mu   sync.Mutex
	seen map[core.Code]map[int]bool // by status
}

func (c *codes) add(code core.Code, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[core.Code]map[int]bool{}
	}
	if c.seen[code] == nil {
		c.seen[code] = map[int]bool{}
	}
	c.seen[code][status] = true
}

// codeForm matches the code in an error response.
var codeForm = regexp.MustCompile(`"code":"(platform:[a-z_:]+)"`) //nolint:gochecknoglobals // a constant

// noting returns a handler that records the codes that h answers with.
func noting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := &noted{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(n, r)
		if code := w.Header().Get("X-Build-Code"); code != "" {
			provoked.add(core.Code(code), n.status)
		}
	})
}

type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

func (n *noted) Write(p []byte) (int, error) {
	if found := codeForm.FindSubmatch(p); found != nil {
		provoked.add(core.Code(found[1]), n.status)
	}
	return n.ResponseWriter.Write(p)
}

func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// TestMain also verifies that the tests provoke each code of the platform, with
// its status only.
func TestMain(m *testing.M) {
	code := leftovers.Run(m)
	if run := flag.Lookup("test.run").Value.String(); code == 0 && run == "" {
		for _, fault := range provoked.faults() {
			fmt.Fprintln(os.Stderr, "FAIL:", fault) //nolint:forbidigo // there is no testing.T here
			code = 1
		}
	}
	os.Exit(code)
}

func (c *codes) faults() (faults []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	statuses := api.Statuses()
	for _, code := range core.Codes() {
		if !strings.HasPrefix(string(code), "platform:") {
			continue
		}
		want, ok := statuses[code]
		if code == core.CodePlatformInternal {
			delete(c.seen[code], http.StatusOK) // in a trailer, if the build's output had begun
		}
		if !ok || len(c.seen[code]) != 1 || !c.seen[code][want] {
			faults = append(faults, fmt.Sprintf("%s: want status %d, tests got %v", code, want, c.seen[code]))
		}
	}
	return faults
}

func TestAppThatDoesNotStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.builder.js = `console.error("no database"); process.exit(3)`
	b.must(200, me, upload, "tgz")
	got := b.refused(500, "start_failed", me, "POST /apps/me/app/start", "")
	if message := got.object()["message"].(string); message != "drone 1 exited with code 3 before it accepted connections on PORT: no database\nno database" {
		t.Errorf("the message is %q", message)
	}
}

func TestTooManyTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 99 { // one exists
		b.must(201, me, "PUT /users/me/tokens/t"+strconv.Itoa(i), "")
	}
	b.refused(409, "conflict", me, "PUT /users/me/tokens/more", "")
	b.must(201, me, "PUT /users/me/tokens/t1", "")
}

// A platform that is stopping answers with Retry-After.
func TestStartOfAStoppedPlatform(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.must(200, me, upload, "tgz")
	if err := b.runner.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.refused(503, "busy", me, "POST /apps/me/app/start", ""); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// A full disk is a temporary failure of the platform.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.builder.will(say("", fmt.Errorf("writing: %w", syscall.ENOSPC)))
	if got := b.refused(503, "no_space", me, upload, "tgz"); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
