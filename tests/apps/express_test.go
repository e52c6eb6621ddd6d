package apps

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// site returns a version of the Express site.
func site(t *testing.T, version int) files {
	t.Helper()
	text := strconv.Itoa(version)
	return example(t, "express", files{"version.txt": text, "public/version.txt": text})
}

func TestExpressSite(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "site")
	a.deploy(site(t, 1))
	if got := a.get("/?who=%3Cyou%3E"); got.status != 200 || !strings.Contains(got.body, "<h1>Hello, &lt;you&gt;</h1>") {
		t.Errorf("the page: %d %s", got.status, got.body)
	}
	if got := a.get("/public/style.css"); got.status != 200 || !strings.Contains(got.body, "rebeccapurple") {
		t.Errorf("the static file: %d %s", got.status, got.body)
	}
	if got := a.get("/nowhere"); got.status != 404 || !strings.Contains(got.body, "Cannot GET /nowhere") {
		t.Errorf("a page that is not there: %d %s", got.status, got.body)
	}
	a.refusesUploads()

	const versions = 21
	l := &load{a: a, seen: map[int]int{}}
	l.ceiling.Store(1)
	l.floor.Store(1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() { l.work(ctx, i) })
	}
	for version := 2; version <= versions; version++ {
		id, _, failure := a.upload(site(t, version))
		if failure != "" {
			t.Fatal(failure)
		}
		l.ceiling.Store(int64(version))
		l.switching.Store(true)
		a.ok(a.start(id))
		l.floor.Store(int64(version))
		until(t, fmt.Sprintf("answers of version %d", version), func() bool { return l.count(version) >= 100 })
		l.switching.Store(false)
	}
	stop()
	workers.Wait()
	if len(l.faults) > 0 {
		t.Errorf("%d of %d requests failed:\n%s", len(l.faults), l.count(0), strings.Join(l.faults[:min(10, len(l.faults))], "\n"))
	}
	t.Logf("%d requests over %d redeployments", l.count(0), versions-1)
}

// refusesUploads checks that the site refuses bodies that are too large, which it
// does without reading them.
func (a *app) refusesUploads() {
	a.t.Helper()
	client := a.client(true)
	for range 20 {
		body := strings.NewReader(`{"text":"` + strings.Repeat("a", 4<<20) + `"}`)
		req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, "http://"+a.host()+"/echo", body)
		if err != nil {
			a.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		got, err := read(client.Do(req)) //nolint:bodyclose // read closes it
		if err != nil || got.status != http.StatusRequestEntityTooLarge {
			a.t.Errorf("a large upload: %d %.100s (%v)", got.status, got.body, err)
			return
		}
	}
}

// load keeps requesting pages of a site.
type load struct {
	a              *app
	floor, ceiling atomic.Int64 // the oldest and the newest version that may answer
	switching      atomic.Bool  // there is more load while this is so

	mu     sync.Mutex
	seen   map[int]int // answers by version; 0: all
	faults []string
}

func (l *load) count(version int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[version]
}

// work sends requests: over one connection if i is even, else over one connection
// each.
func (l *load) work(ctx context.Context, i int) {
	client := l.a.client(i%2 == 0)
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for n, tick := i/2, 0; ; n++ {
		for waits := true; waits; tick++ {
			select {
			case <-pace.C:
				waits = !l.switching.Load() && tick%10 != 0
			case <-ctx.Done():
				return
			}
		}
		floor := l.floor.Load()
		version, err := l.ask(ctx, client, n)
		ceiling := l.ceiling.Load()
		if ctx.Err() != nil {
			return
		}
		if err == nil && (int64(version) < floor || int64(version) > ceiling) {
			err = fmt.Errorf("version %d answered, want one of %d to %d", version, floor, ceiling)
		}
		l.mu.Lock()
		l.seen[0]++
		if err == nil {
			l.seen[version]++
		} else {
			l.faults = append(l.faults, fmt.Sprintf("worker %d, version %d or %d: %v", i, floor, ceiling, err))
		}
		l.mu.Unlock()
	}
}

// ask sends the nth request and returns the version that answered. All parts of the
// answer must be of that version.
func (l *load) ask(ctx context.Context, client *http.Client, n int) (version int, err error) {
	method, path, sent := http.MethodGet, "/", ""
	switch n % 3 {
	case 1:
		path = "/public/version.txt"
	case 2:
		method, path, sent = http.MethodPost, "/echo", strings.Repeat(rand.Text(), 1000)
	}
	var body *strings.Reader
	if body = strings.NewReader(""); sent != "" {
		body = strings.NewReader(`{"text":"` + sent + `"}`)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+l.a.host()+path, body)
	if err != nil {
		return 0, err
	}
	if sent != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	begun := time.Now()
	resp, err := client.Do(req)
	got, err := read(resp, err)
	if err != nil {
		return 0, fmt.Errorf("%s %s, after %v, status %d, %q: %w", method, path, time.Since(begun), got.status, got.body, err)
	}
	if got.status != http.StatusOK {
		return 0, fmt.Errorf("%s %s: %d %s", method, path, got.status, got.body)
	}
	text := resp.Header.Get("X-Version")
	whole := false
	switch n % 3 {
	case 0:
		whole = strings.Contains(got.body, "<title>"+text+"</title>") && strings.HasSuffix(got.body, "<footer>"+text+"</footer>\n")
	case 1:
		whole = got.body == text
	case 2:
		var echo struct {
			Version string
			Got     struct{ Text string }
		}
		whole = json.Unmarshal([]byte(got.body), &echo) == nil && echo.Version == text && echo.Got.Text == sent
	}
	if !whole {
		return 0, fmt.Errorf("%s %s of version %q: %.300s", method, path, text, got.body)
	}
	return strconv.Atoi(text)
}
