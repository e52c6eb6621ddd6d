package e2e

import (
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// onRedis is a server with its embedded platform, and the Redis that it uses.
func onRedis(t *testing.T, flags ...string) (*server, *redistest.Server) {
	t.Helper()
	store := redistest.Start(t, "--appendfsync", "always") // as some of the tests kill it
	return serve(t, append(flags, "--redis", store.Addr)...), store
}

// ready waits until /readyz answers so.
func (s *server) ready(status int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("/readyz answers %d", status), func() bool {
		return s.send(request{path: "/readyz", anonymous: true}).status == status
	}, s.stderr)
}

// Without its Redis a server refuses deliveries. When Redis is back, the server goes
// on by itself with what it had accepted.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	h := github(t)
	s, store := onRedis(t, h.flags()...)
	repo := h.repository("redis")
	first := repo.commit("first", map[string]string{"package.json": packageJSON("redis"), "index.js": node("first")})
	s.send(repo.delivery(t, first, "first", nil)).change(t, 200, "ok")

	store.Kill()
	s.ready(503)
	second := repo.commit("second", map[string]string{"index.js": node("second")})
	refused := s.send(repo.delivery(t, second, "second", nil))
	refused.failure(t, 503, "deploy:db:failed_to_store_payload")
	if refused.header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	if app := s.app("redis.localhost"); app.body != "first" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	store.Restart()
	s.ready(200)
	s.send(repo.delivery(t, second, "second", nil)).change(t, 200, "ok")
	if app := s.app("redis.localhost"); app.body != "second" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	again := s.send(repo.delivery(t, first, "first", nil)).change(t, 200, "ok")
	id, _ := again["id"].(string)
	if entry := s.entry(again); entry["delivery_id"] != "first" {
		t.Errorf("%s is of delivery %v", id, entry["delivery_id"])
	}
	var log []struct {
		Delivery string `json:"delivery_id"`
	}
	page := s.send(request{path: "/1/status/" + user + "/webhooks"})
	if err := json.Unmarshal([]byte(page.body), &log); err != nil || len(log) != 2 {
		t.Errorf("two deliveries were accepted, and the log is %s, %v", page.body, err)
	}
	said := s.stderr()
	if strings.Count(said, "redis is unavailable") != 1 || strings.Count(said, "redis is available again") != 1 {
		t.Errorf("the log does not have one line for the beginning and one for the end:\n%s", said)
	}
	if strings.Contains(said, "connection pool") {
		t.Errorf("the log has lines of a library:\n%s", said)
	}
}

// A Redis that is connected but does not carry out commands: the sender gets an
// answer, nothing of a refused delivery is stored, and the server recovers without
// a restart.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin func(*testing.T, *redistest.Server)
		end   func(*redistest.Server)
		says  string // in the log
	}{
		"full": {
			func(_ *testing.T, store *redistest.Server) { store.Do("CONFIG", "SET", "maxmemory", "1") },
			func(store *redistest.Server) { store.Do("CONFIG", "SET", "maxmemory", "0") }, "OOM",
		},
		"read-only": {
			func(t *testing.T, store *redistest.Server) {
				gone := redistest.Start(t) // which it is a replica of
				gone.Kill()
				store.Do(append([]string{"REPLICAOF"}, strings.Split(gone.Addr, ":")...)...)
			},
			func(store *redistest.Server) { store.Do("REPLICAOF", "NO", "ONE") }, "READONLY",
		},
		"hung": {
			func(_ *testing.T, store *redistest.Server) { store.Pause() },
			func(store *redistest.Server) { store.Resume() }, "timeout",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, store := onRedis(t)
			ping := func(delivery string) request {
				header := event("ping")
				header["X-GitHub-Delivery"] = delivery
				return request{path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: header}
			}
			s.send(ping("before")).change(t, 200, "ok")
			test.begin(t, store)
			// All of these are answered while it lasts.
			refused := s.send(ping("refused"))
			refused.failure(t, 503, "deploy:db:failed_to_store_payload")
			if refused.header.Get("Retry-After") == "" {
				t.Error("it does not say when to try again")
			}
			s.send(request{path: "/readyz", anonymous: true}).failure(t, 503, "http:unavailable")
			if got := s.send(request{path: "/healthz", anonymous: true}); got.status != 200 {
				t.Errorf("/healthz is %d", got.status)
			}
			test.end(store)
			s.ready(200)

			total := func() string {
				return s.send(request{path: "/1/status/" + user + "/webhooks"}).header.Get("X-Total-Count")
			}
			if n := total(); n != "1" {
				t.Errorf("there are %s entries, want the one from before", n)
			}
			s.send(ping("refused")).change(t, 200, "ok")
			if n := total(); n != "2" {
				t.Errorf("there are %s entries, want the one from before and the one that was sent again", n)
			}
			said := s.stderr()
			if strings.Count(said, "redis is unavailable") != 1 || strings.Count(said, "redis is available again") != 1 || !strings.Contains(said, test.says) {
				t.Errorf("the log does not have one line for the beginning with its reason and one for the end:\n%s", said)
			}
		})
	}
}

// If Redis loses its data, the log says so, readers of the feed learn that changes
// are missing, and new deliveries are accepted.
func TestRedisLosesItsData(t *testing.T) {
	t.Parallel()
	s, store := onRedis(t)
	ping := request{path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: event("ping")}
	seq, _ := s.send(ping).change(t, 200, "ok")["seq"].(string)
	store.Do("FLUSHALL")
	// Until the server has noticed, there is nothing new.
	resumed := request{path: "/1/status/" + user + "/changes?feed=normal&since=" + seq}
	var got answer
	eventually(t, "the server has noticed", func() bool {
		got = s.send(resumed)
		return got.status != 200 || got.body != ""
	}, s.stderr)
	got.failure(t, 410, "status:changes:gone")
	s.ready(200)
	s.send(ping).change(t, 200, "ok")
	if list := s.send(request{path: "/1/status/" + user + "/webhooks"}); list.header.Get("X-Total-Count") != "1" {
		t.Errorf("got %s", list.body)
	}
	if said := s.stderr(); strings.Count(said, "redis lost its data") != 1 {
		t.Errorf("the log does not say so once:\n%s", said)
	}
}

// A deployment that loses its Redis is completed, at once or by the next attempt.
func TestRedisDownDuringADeployment(t *testing.T) {
	t.Parallel()
	h := github(t)
	s, store := onRedis(t, h.flags("--wait", "0s", "--lease", "2s", "--retry-delays", "100ms")...)
	repo := h.repository("middle")
	repo.commit("first", map[string]string{"package.json": packageJSON("middle")})
	for _, stage := range []string{"/contents/package.json", "/tarball/"} {
		commit := repo.commit(stage, map[string]string{"index.js": node(stage)})
		arrived, release := h.Hold(sim.Matching("GET", stage))
		accepted := s.send(repo.delivery(t, commit, "", nil)).change(t, 202, "pending")
		<-arrived
		store.Kill()
		release()
		s.ready(503)
		store.Restart()
		s.ready(200)
		store.Rewritten()
		id, _ := accepted["id"].(string)
		s.outcome(id, "ok")
		if app := s.app("middle.localhost"); app.body != stage {
			t.Errorf("the app answers %d %s", app.status, app.body)
		}
	}
}

// longLease is a lease that ends while a test waits, and that a server which is
// not stopped can renew however busy the machine is.
const longLease = "10s"

// A server that was paused for longer than its lease finds its deployment completed
// by another server, and changes nothing.
func TestServerPausedBeyondItsLease(t *testing.T) {
	t.Parallel()
	h := github(t)
	c := newCluster(t, h, 1, "--lease", longLease)
	paused := c.servers[0]
	repo := h.repository("paused")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("paused"), "index.js": node("first")})
	arrived, release := h.Hold(sim.Matching("GET", "/tarball/"))
	accepted := paused.send(repo.delivery(t, commit, "", async())).change(t, 202, "pending")
	<-arrived
	if err := paused.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	release()
	other := run(t, "serve", 1, paused.flags...)
	id, _ := accepted["id"].(string)
	id = id[strings.LastIndex(id, "/"):]
	done := other.entry(other.outcome(id, "ok"))
	if attempts, _ := done["attempts"].(float64); attempts != 2 {
		t.Errorf("got %v attempts, want a second one", done["attempts"])
	}
	if err := paused.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// It resumes. A deployment of its own shows that it has had the time to do harm.
	second := repo.commit("second", map[string]string{"index.js": node("second")})
	own := paused.send(repo.delivery(t, second, "", async())).change(t, 202, "pending")
	ownID, _ := own["id"].(string)
	paused.outcome(ownID, "ok")
	after := other.entry(other.send(request{path: "/1/status/" + user + "/changes" + id}).json(t))
	if after["revision"] != done["revision"] || after["attempts"] != done["attempts"] {
		t.Errorf("it was changed after its end: revision %v, then %v", done["revision"], after["revision"])
	}
	if app := c.platform.app("paused.localhost"); app.body != "second" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}

// The feed of one server has the changes of another, across restarts of Redis.
func TestFeedAcrossServers(t *testing.T) {
	t.Parallel()
	h := github(t)
	s, store := onRedis(t, h.flags()...)
	other := run(t, "serve", 1, h.flags("--redis", store.Addr, "--platform-url", s.platform,
		"--platform-key-file", s.data+"/platform/platform.key")...)
	repo := h.repository("feed")
	repo.commit("begin", map[string]string{"package.json": packageJSON("feed")})
	// On a slow machine Redis is away for so long that the feed ends; it is resumed.
	changes, closeFeed := iter.Pull2(s.asUser().Feed(t.Context(), client.FeedOptions{Since: "0"}))
	defer closeFeed()
	var seqs []string
	until := func(commit string) {
		t.Helper()
		for {
			change, err, _ := changes()
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, change.Seq.String())
			if change.Status == core.StatusOK && strings.HasSuffix(change.Commit, commit) {
				return
			}
		}
	}
	for i := range 3 {
		commit := repo.commit(commitText(i), map[string]string{"index.js": node(commitText(i))})
		other.send(repo.delivery(t, commit, "", nil)).change(t, 200, "ok")
		until(commit)
		store.Kill()
		s.ready(503)
		store.Restart()
		s.ready(200)
		other.ready(200)
		store.Rewritten()
	}
	// The reader saw what is stored: no gap, no repeat.
	var kept []string
	for change, err := range s.asUser().Feed(t.Context(), client.FeedOptions{Since: "0", Once: true}) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, change.Seq.String())
	}
	if strings.Join(seqs, " ") != strings.Join(kept, " ") {
		t.Errorf("saw %v, kept are %v", seqs, kept)
	}
}

// A wrong clock is in the answer of /readyz, and does not make a server unready.
func TestReadyWithWrongClock(t *testing.T) {
	t.Parallel()
	s, store := onRedis(t)
	if got := s.send(request{path: "/readyz", anonymous: true}); got.status != 200 || strings.Contains(got.body, "warnings") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	// As if an entry had been accepted when the clock of Redis was a day ahead.
	store.Do("HSET", "{webhooks}:last", "accepted", strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMicro(), 10))
	s.stop()
	s.start()
	if got := s.send(request{path: "/readyz", anonymous: true}); got.status != 200 || !strings.Contains(got.body, "The clock is wrong, or was") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
