package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// cluster is several servers that share a Redis and a platform, and the load
// balancer between them.
type cluster struct {
	t        *testing.T
	platform *server
	store    *redistest.Server
	way      *httptest.Server // to the platform
	calls    platformCalls    // that came this way

	mu      sync.Mutex
	servers []*server
	up      []bool
	next    int
}

func newCluster(t *testing.T, h hub, size int, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, platform: run(t, "platform", 2), store: redistest.Start(t)}
	c.way = way(t, addressOf(c.platform.platform), c.calls.begin, c.calls.answer)
	c.platform.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", c.platform.data)
	for range size {
		c.servers = append(c.servers, run(t, "serve", 1, h.flags(append([]string{
			"--redis", c.store.Addr, "--platform-url", c.way.URL,
			"--platform-key-file", filepath.Join(c.platform.data, "platform", "platform.key"),
			"--lease", "3s", "--workers", "2",
		}, flags...)...)...))
		c.up = append(c.up, true)
	}
	return c
}

// one returns the URL of the next server that is up.
func (c *cluster) one() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		c.next++
		if i := c.next % len(c.servers); c.up[i] {
			return c.servers[i].api
		}
	}
}

func (c *cluster) kill(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up[i] = false
	c.servers[i].kill()
}

func (c *cluster) restart(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[i].start()
	c.up[i] = true
}

// deliver posts until a server accepts. If one does not answer, or can't accept, the same
// delivery goes to the next one.
func (c *cluster) deliver(delivery, body string) (id string, err error) {
	for {
		request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.one()+"/1/deploy", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		request.SetBasicAuth(user, password)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-GitHub-Event", "push")
		request.Header.Set("X-GitHub-Delivery", delivery)
		request.Header.Set("Prefer", "respond-async")
		response, err := http.DefaultClient.Do(request)
		if c.t.Context().Err() != nil {
			return "", c.t.Context().Err()
		}
		if err != nil {
			continue // it was killed
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close() // only read
		if err != nil {
			continue // it was killed while it answered
		}
		var change struct {
			ID    string `json:"id"`
			Error string `json:"error"`
		}
		err = json.Unmarshal(text, &change)
		if err == nil && passes(change.Error) {
			continue // Redis took too long to answer
		}
		if response.StatusCode/100 != 2 || err != nil {
			return "", fmt.Errorf("got %s %s", response.Status, text)
		}
		return change.ID[strings.LastIndex(change.ID, "/")+1:], nil
	}
}

// Deliveries of several apps to three servers, two of which are killed and started
// again at points that the seed chooses: each has one outcome, and each app ends
// with its newest commit and never goes back, by the entries and by the calls of
// the platform.
func TestServersThatShareARedis(t *testing.T) {
	t.Parallel()
	const apps, commits, again = 4, 60, 4 // every fourth is delivered twice: 300 in all
	h := github(t)
	c := newCluster(t, h, 3)
	bodies := make([][]string, apps)
	order := map[string]int{} // by commit
	for app := range apps {
		name := "app-" + strconv.Itoa(app)
		repo := h.repository(name)
		repo.commit("begin", map[string]string{"package.json": packageJSON(name)})
		for i := range commits {
			commit := repo.commit(strconv.Itoa(i), map[string]string{"index.js": node(commitText(i))})
			order[commit] = i
			bodies[app] = append(bodies[app], text(t, push(object{
				"after": commit, "head_commit": object{"id": commit, "message": strconv.Itoa(i)}, "commits": []object{},
				"repository": object{"name": name, "default_branch": "main", "owner": object{"login": user, "name": user}},
			})))
		}
	}

	// The faults come after a number of accepted deliveries.
	t.Logf("-seed %d", *faultSeed)
	random := rand.New(rand.NewPCG(*faultSeed, 0))
	who, at := random.Perm(len(c.servers)), 0
	faults := map[int]func(){}
	for _, i := range who[:2] {
		for _, fault := range []func(int){c.kill, c.restart} {
			at += 25 + random.IntN(45)
			faults[at] = func() { fault(i) }
		}
	}
	var mu sync.Mutex
	accepted := map[string]bool{}
	deliveries := 0
	count := func(id string) {
		mu.Lock()
		defer mu.Unlock() // also if a server does not start
		accepted[id] = true
		deliveries++
		if fault := faults[deliveries]; fault != nil {
			fault()
		}
	}
	var senders sync.WaitGroup
	for app := range apps {
		senders.Go(func() {
			for i, body := range bodies[app] {
				delivery := fmt.Sprintf("delivery-%d-%d", app, i)
				times := 1
				if i%again == 0 {
					times = 2
				}
				var first string
				for range times {
					id, err := c.deliver(delivery, body)
					if err != nil {
						t.Errorf("%s: %v", delivery, err)
						return
					}
					if first != "" && id != first {
						t.Errorf("%s: its repeat is entry %s, and it was %s", delivery, id, first)
					}
					first = id
					count(id)
				}
			}
		})
	}
	senders.Wait()
	if want := apps * (commits + commits/again); deliveries != want || len(accepted) != apps*commits {
		t.Fatalf("%d deliveries made %d entries, want %d and %d", deliveries, len(accepted), want, apps*commits)
	}

	// The feed of the server that was never killed has all changes.
	s := c.servers[who[2]]
	outcomes, newest := map[string]int{}, map[string]int{}
	entries := map[string]attempted{} // by order
	feed := s.open(t.Context(), request{path: "/1/status/" + user + "/changes?since=0&include_docs=true"})
	defer feed.Body.Close() //nolint:errcheck // only read
	changes := json.NewDecoder(feed.Body)
	for len(outcomes) < len(accepted) {
		var change struct {
			Status string `json:"status"`
			App    string `json:"app_name"`
			Doc    struct {
				ID       string `json:"id"`
				Order    int64  `json:"order"`
				Attempts int    `json:"attempts"`
				Commit   struct {
					ID string `json:"id"`
				} `json:"commit"`
				Error any `json:"error"`
			} `json:"doc"`
		}
		if err := changes.Decode(&change); err != nil {
			t.Fatalf("the feed ended with %d of %d outcomes: %v", len(outcomes), len(accepted), err)
		}
		switch change.Status {
		case "ok":
			at := order[change.Doc.Commit.ID]
			if before, there := newest[change.App]; there && at <= before {
				t.Errorf("%s went back from commit %d to %d", change.App, before, at)
			}
			newest[change.App] = at
		case "error":
			t.Errorf("entry %s failed: %v", change.Doc.ID, change.Doc.Error)
		case "skipped":
		default:
			continue
		}
		entries[fmt.Sprintf("%016d", change.Doc.Order)] = attempted{order[change.Doc.Commit.ID], change.Doc.Attempts}
		if !accepted[change.Doc.ID] {
			t.Errorf("entry %s was not delivered", change.Doc.ID)
		}
		if outcomes[change.Doc.ID]++; outcomes[change.Doc.ID] > 1 {
			t.Errorf("entry %s has a second outcome, %s", change.Doc.ID, change.Status)
		}
	}
	for app := range apps {
		name := "app-" + strconv.Itoa(app)
		if got := c.platform.app(name + ".localhost"); got.body != commitText(commits-1) {
			t.Errorf("%s answers %d %q", name, got.status, got.body)
		}
	}
	c.calls.check(t, entries)
}

// attempted is an entry: where its commit stands among those of its app, and how
// often it was claimed.
type attempted struct{ at, attempts int }

// platformCalls are the calls that start snapshots, as they come to a platform.
type platformCalls struct {
	mu    sync.Mutex
	count int
	all   []*platformCall
}

// platformCall is one of them. Times are counted.
type platformCall struct {
	app        string
	entry      string // its order
	attempt    int
	begin, end int
	status     int // 0: it broke off
}

func (p *platformCalls) begin(r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // apps/USER/APP/start
	if r.Method != http.MethodPost || parts[len(parts)-1] != "start" {
		return
	}
	entry, attempt, _ := strings.Cut(r.Header.Get("X-Webhooks-Order"), "-")
	n, _ := strconv.Atoi(attempt)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	call := &platformCall{app: parts[2], entry: entry, attempt: n, begin: p.count}
	p.all = append(p.all, call)
	// The request that is passed on has the same header.
	r.Header.Set("X-Test-Call", strconv.Itoa(len(p.all)-1))
}

func (p *platformCalls) answer(asked *http.Request, answer *http.Response) {
	n, err := strconv.Atoi(asked.Header.Get("X-Test-Call"))
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	p.all[n].end, p.all[n].status = p.count, answer.StatusCode
}

// check wants that no app was at two deployments at once, unless the claim of
// the earlier one was lost, and that none went back to an older commit.
func (p *platformCalls) check(t *testing.T, entries map[string]attempted) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	done := slices.DeleteFunc(slices.Clone(p.all), func(c *platformCall) bool { return c.status != http.StatusOK })
	slices.SortFunc(done, func(a, b *platformCall) int { return a.end - b.end })
	last := map[string]*platformCall{} // by app
	spans := map[string][]*platformCall{}
	for _, c := range done {
		if before := last[c.app]; before != nil && entries[c.entry].at < entries[before.entry].at {
			t.Errorf("%s: the start of commit %d came after that of commit %d", c.app, entries[c.entry].at, entries[before.entry].at)
		}
		last[c.app] = c
		i := slices.IndexFunc(spans[c.app], func(s *platformCall) bool { return s.entry == c.entry && s.attempt == c.attempt })
		if i < 0 {
			i = len(spans[c.app])
			span := *c
			spans[c.app] = append(spans[c.app], &span)
		}
		spans[c.app][i].begin, spans[c.app][i].end = min(spans[c.app][i].begin, c.begin), c.end
	}
	for app, all := range spans {
		slices.SortFunc(all, func(a, b *platformCall) int { return a.begin - b.begin })
		for i, c := range all {
			if _, known := entries[c.entry]; !known {
				t.Errorf("%s was deployed by an unknown entry, %q", app, c.entry)
			}
			if i == 0 {
				continue
			}
			if before := all[i-1]; c.begin < before.end && entries[before.entry].attempts == before.attempt {
				t.Errorf("%s: commits %d and %d were deployed at once", app, entries[before.entry].at, entries[c.entry].at)
			}
		}
	}
	if len(spans) == 0 {
		t.Error("the platform was not called")
	}
}

func commitText(i int) string { return "commit " + strconv.Itoa(i) }
