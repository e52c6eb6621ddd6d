package sim_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

func TestUserAndRates(t *testing.T) {
	t.Parallel()
	clock := &clock{now: time.Now()}
	b := newBench(t, sim.Options{Now: clock.Now}, false)
	b.AddUser("octo", "classic", []string{"repo", "user"})
	b.AddUser("octo", "fine", nil)
	client := b.client()
	login, scopes, err := client.Login(t.Context(), core.NewSecret("classic"))
	if login != "octo" || !slices.Equal(scopes, []string{"repo", "user"}) || err != nil {
		t.Errorf("classic: got %q, %q, %v", login, scopes, err)
	}
	if login, scopes, err := client.Login(t.Context(), core.NewSecret("fine")); login != "octo" || scopes != nil || err != nil {
		t.Errorf("fine-grained: got %q, %q, %v", login, scopes, err)
	}
	if _, _, err := client.Login(t.Context(), core.NewSecret("wrong")); !errors.Is(err, core.ErrUnauthorized) {
		t.Errorf("got %v, want %v", err, core.ErrUnauthorized)
	}
	if code, _, _ := b.get("/user", "", ""); code != 401 {
		t.Errorf("anonymous: got %d", code)
	}

	_, header, _ := b.get("/user", "classic", "")
	if header.Get("X-Ratelimit-Limit") != "5000" || header.Get("X-Ratelimit-Remaining") != "4997" || header.Get("X-Ratelimit-Used") != "3" {
		t.Errorf("headers: %v", header)
	}
	b.RateLimit("Octo", 1)
	if _, _, err := client.Login(t.Context(), core.NewSecret("fine")); err != nil {
		t.Errorf("the last request: %v", err)
	}
	for range 2 {
		_, _, err = client.Login(t.Context(), core.NewSecret("classic"))
		if after, ok := core.Retryable(err); !ok || after < 59*time.Minute {
			t.Errorf("at the limit: got %v, after %v", err, after)
		}
	}
	var limits struct {
		Rate struct{ Limit, Remaining int }
	}
	code, _, body := b.get("/rate_limit", "classic", "")
	if err := json.Unmarshal([]byte(body), &limits); err != nil || code != 200 || limits.Rate.Remaining != 0 || limits.Rate.Limit != 5000 {
		t.Errorf("rate limit: got %d %s, %v", code, body, err)
	}
	if code, _, _ := b.get("/repos/octo/hello", "", ""); code != 200 {
		t.Errorf("another's rate: got %d", code)
	}
	clock.advance(time.Hour)
	if _, _, err := client.Login(t.Context(), core.NewSecret("classic")); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	noise := make([]byte, 1<<16)
	for i := range noise { // so that it does not compress to nothing
		noise[i] = byte(i*i>>3 ^ i*7)
	}
	commit := b.commit("first", map[string]string{"a": "a", "noise": string(noise)})
	b.push("main")
	client := b.client()
	file := func() error {
		_, err := client.File(t.Context(), hello(), commit, "a", core.Secret{})
		return err
	}
	b.Fail(sim.Matching("GET", "/contents/"), 2, http.StatusServiceUnavailable, http.Header{"Retry-After": {"9"}})
	for range 2 {
		if after, ok := core.Retryable(file()); !ok || after != 9*time.Second {
			t.Errorf("failing: after %v, %t", after, ok)
		}
	}
	if err := file(); err != nil {
		t.Errorf("afterwards: %v", err)
	}

	b.Fail(sim.Matching("", "/legacy.tar.gz/"), 1, 0, nil)
	body, err := client.Archive(t.Context(), hello(), commit, core.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if _, ok := core.Retryable(err); !ok || len(text) == 0 || len(text) > 1<<10 {
		t.Errorf("cut off: got %d bytes, %v", len(text), err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	var codes []string
	for _, r := range b.Requests() {
		codes = append(codes, strconv.Itoa(r.Status))
	}
	if got := strings.Join(codes, " "); got != "503 503 200 302 0" {
		t.Errorf("answers: %s", got)
	}

	arrived, release := b.Hold(sim.Matching("GET", "/contents/a"))
	done := make(chan error, 1)
	go func() { done <- file() }()
	<-arrived
	select {
	case err := <-done:
		t.Errorf("answered while held: %v", err)
	default:
	}
	release()
	if err := <-done; err != nil {
		t.Errorf("after the hold: %v", err)
	}
}

func TestCreateRepositoryRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	for _, slug := range [][2]string{{"..", "x"}, {"o", ".."}, {"o", "a/b"}, {"", "x"}, {"o", ""}, {"o", "x.git"}, {"o", "a b"}} {
		if dir, err := b.CreateRepository(t.Context(), slug[0], slug[1], false); err == nil {
			t.Errorf("%q was made at %s", slug, dir)
		}
	}
	if _, err := b.CreateRepository(t.Context(), "Octo", "HELLO", false); !errors.Is(err, core.ErrConflict) {
		t.Errorf("again: got %v, want %v", err, core.ErrConflict)
	}
	if err := b.SetDefaultBranch(t.Context(), "octo", "hello", "--x"); err == nil {
		t.Error("an option was taken for a branch")
	}
}

// The next Server serves what another has left on disk, and delivers nothing
// that was pushed before.
func TestAdopt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBench(t, sim.Options{Dir: dir}, true)
	b.commit("first", map[string]string{"a": "a"})
	b.push("main:trunk")
	if err := b.SetDefaultBranch(t.Context(), "octo", "hello", "trunk"); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Server = start(t, sim.Options{Dir: dir})
	b.AddUser("octo", "token", nil)
	if code, _, _ := b.get("/repos/octo/hello", "", ""); code != 404 {
		t.Errorf("no longer private: got %d", code)
	}
	if code, _, body := b.get("/repos/octo/hello/contents/a", "token", raw); code != 200 || body != "a" {
		t.Errorf("got %d %q", code, body)
	}
	to := newReceiver(t, nil)
	if _, err := b.Hook(t.Context(), "octo", "hello", to.URL, sim.HookOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Pushed(t.Context(), "octo", "hello"); len(got) != 0 || err != nil {
		t.Errorf("delivered %d old pushes, %v", len(got), err)
	}
	b.push("main:trunk", "main:new")
	if got, err := b.Pushed(t.Context(), "octo", "hello"); len(got) != 1 || got[0].Ref != "refs/heads/new" || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A request on the condition that the answer changed costs nothing if it did not.
func TestConditionalRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	b.AddUser("octo", "token", nil)
	ask := func(condition string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL()+"repos/octo/hello/actions/runs", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer token")
		req.Header.Set("If-None-Match", condition)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return resp
	}
	first := ask(`"other"`)
	again := ask(first.Header.Get("ETag"))
	if first.StatusCode != http.StatusOK || again.StatusCode != http.StatusNotModified || again.Header.Get("ETag") != first.Header.Get("ETag") {
		t.Errorf("got %d and then %d, %v", first.StatusCode, again.StatusCode, again.Header)
	}
	if got, want := again.Header.Get("X-Ratelimit-Remaining"), first.Header.Get("X-Ratelimit-Remaining"); got != want || want == "" {
		t.Errorf("%q requests are left, want %q", got, want)
	}
	if third := ask(""); third.StatusCode != http.StatusOK || third.Header.Get("X-Ratelimit-Remaining") == first.Header.Get("X-Ratelimit-Remaining") {
		t.Errorf("without a condition: got %d, %v", third.StatusCode, third.Header)
	}
}
