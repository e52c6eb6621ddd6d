package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

// For a longer run, or another seed:
//
//	go test -race ./tests/e2e -run TestFaults -v -faults 500 -seed 7
var (
	faultCount = flag.Int("faults", 40, "how many faults TestFaults injects")
	faultSeed  = flag.Uint64("seed", 1, "what TestFaults and TestServersThatShareARedis choose them by")
)

// troubled is a server that reaches GitHub, its archives and the platform through
// proxies, and the senders that deliver to it. With Redis there is a second server
// that works beside it, and each reaches Redis through a proxy, too.
type troubled struct {
	sender
	servers  []*sender  // the first is sender itself
	random   *rand.Rand // of the faults alone
	platform *server
	proxies  map[string]*faultProxy
	report   map[string]int

	seen    sync.Mutex
	started map[string][]string // ids of snapshots that the platform started, by app
}

func newTroubled(t *testing.T, h hub, seed uint64, onRedis bool) *troubled {
	t.Helper()
	tr := &troubled{
		sender: sender{t: t, accepted: map[string]string{}},
		random: rand.New(rand.NewPCG(seed, seed)), platform: run(t, "platform", 2),
		report: map[string]int{}, started: map[string][]string{},
	}
	tr.platform.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", tr.platform.data)
	witnessed := way(t, addressOf(tr.platform.platform), tr.mark, tr.watch)
	tr.proxies = map[string]*faultProxy{
		"GitHub":   newFaultProxy(t, "github", addressOf(h.URL())),
		"archives": newFaultProxy(t, "archives", h.ArchiveHost()),
		"platform": newFaultProxy(t, "platform", addressOf(witnessed.URL)),
	}
	h.SetArchiveHost(tr.proxies["archives"].addr())
	flags := []string{
		"--github-url", "http://" + tr.proxies["GitHub"].addr() + "/", "--github-archive-hosts", tr.proxies["archives"].addr(),
		"--platform-url", "http://" + tr.proxies["platform"].addr(),
		"--platform-key-file", filepath.Join(tr.platform.data, "platform", "platform.key"),
		// All faults are temporary: no deployment may be given up for one.
		"--wait", "0s", "--lease", "2s", "--retry-delays", strings.TrimSuffix(strings.Repeat("200ms,", 500), ","),
	}
	tr.servers = []*sender{&tr.sender}
	if !onRedis {
		tr.server = run(t, "serve", 1, flags...)
		return tr
	}
	tr.servers = append(tr.servers, &sender{t: t})
	store := redistest.Start(t)
	for i, s := range tr.servers {
		name := "Redis of server " + strconv.Itoa(i+1)
		tr.proxies[name] = newFaultProxy(t, name, store.Addr)
		s.server = run(t, "serve", 1, append(flags, "--redis", tr.proxies[name].addr())...)
	}
	return tr
}

// headerSnapshot has the snapshot that a call starts, on its way to the platform.
const headerSnapshot = "X-Test-Snapshot"

// mark puts the snapshot that a call starts into a header of the call.
func (tr *troubled) mark(r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/start") {
		return
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var start struct{ Snapshot string }
	if err == nil && json.Unmarshal(body, &start) == nil {
		r.Header.Set(headerSnapshot, start.Snapshot)
	}
}

// watch records what the platform has started.
func (tr *troubled) watch(asked *http.Request, answer *http.Response) {
	snapshot := asked.Header.Get(headerSnapshot)
	if snapshot == "" || answer.StatusCode != http.StatusOK {
		return
	}
	app := strings.Split(asked.URL.Path, "/")[3] // of /apps/USER/APP/start
	tr.seen.Lock()
	defer tr.seen.Unlock()
	tr.started[app] = append(tr.started[app], snapshot)
}

// fault chooses a fault, and returns its name and a function that causes it for a
// time.
func (tr *troubled) fault() (what string, strike func(lasts <-chan time.Time)) {
	kinds := slices.Sorted(maps.Keys(faultKinds()))
	targets := slices.Sorted(maps.Keys(tr.proxies))
	// As often the server itself as each of those that it talks to.
	if n := tr.random.IntN(len(targets) + 1); n < len(targets) {
		f := newFault(tr.random, kinds[tr.random.IntN(len(kinds))])
		return targets[n] + ": " + f.kind, func(lasts <-chan time.Time) {
			end := tr.proxies[targets[n]].inject(f)
			<-lasts
			end()
		}
	}
	i := tr.random.IntN(len(tr.servers))
	s, name := tr.servers[i], "server "+strconv.Itoa(i+1)
	switch tr.random.IntN(4) {
	case 0: // longer than its lease, so that another server may claim its work
		return name + ": stopped for longer than its lease", func(<-chan time.Time) {
			s.signal(syscall.SIGSTOP)
			<-time.After(2500 * time.Millisecond)
			s.signal(syscall.SIGCONT)
		}
	case 1:
		return name + ": its disk is full", func(lasts <-chan time.Time) {
			s.disk("0")
			<-lasts
			s.disk("unlimited")
		}
	default:
		return name + ": kill -9", func(<-chan time.Time) { s.restart() }
	}
}

func (s *sender) signal(sig syscall.Signal) {
	if err := s.server.cmd.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
}

// disk limits the size of the files that the server may write. It is the soft
// limit, which can be raised again.
func (s *sender) disk(size string) {
	limit := exec.CommandContext(s.t.Context(), "prlimit", "--pid", strconv.Itoa(s.server.cmd.Process.Pid), "--fsize="+size+":")
	if out, err := limit.CombinedOutput(); err != nil {
		s.t.Errorf("%v: %s", err, out)
	}
}

// Whatever happens to the network, the disk and the server itself: each accepted
// delivery has exactly one outcome, which is not an error because all faults are
// temporary, and each app ends with its newest commit and never goes back.
func TestFaults(t *testing.T) {
	t.Parallel()
	for store, onRedis := range map[string]bool{"embedded": false, "Redis": true} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			h := github(t)
			newTroubled(t, h, *faultSeed, onRedis).flow(h, *faultSeed)
		})
	}
}

// flow causes faults during a flow of deliveries, and checks the outcomes.
func (tr *troubled) flow(h hub, seed uint64) {
	const apps = 4
	t := tr.t
	// Each app has a sender that pushes until the last fault is over.
	over := make(chan struct{})
	order, newest := map[string]int{}, make([]int, apps)
	delivered := 0
	var mu sync.Mutex // of these
	var senders sync.WaitGroup
	for app := range apps {
		name := "app-" + strconv.Itoa(app)
		repo := h.repository(name)
		pace := rand.New(rand.NewPCG(seed, uint64(app)))
		senders.Go(func() {
			for i := 0; ; i++ {
				commit := repo.commit(strconv.Itoa(i), map[string]string{"package.json": packageJSON(name), "index.js": node(commitText(i))})
				mu.Lock()
				order[commit], newest[app] = i, i
				mu.Unlock()
				for range 1 + pace.IntN(2) {
					if err := tr.deliver(repo.delivery(t, commit, "", async()), "delivery-"+commit); err != nil {
						t.Errorf("%s of %s: %v", commitText(i), name, err)
						return
					}
					mu.Lock()
					delivered++
					mu.Unlock()
				}
				select {
				case <-over:
					return
				case <-time.After(time.Duration(pace.IntN(1000)) * time.Millisecond):
				}
			}
		})
	}
	for range *faultCount {
		what, strike := tr.fault()
		tr.report["faults of "+what]++
		strike(time.After(time.Duration(100+tr.random.IntN(900)) * time.Millisecond))
	}
	close(over)
	senders.Wait()
	if t.Failed() {
		return
	}
	for _, s := range tr.servers {
		s.server.ready(http.StatusOK)
	}

	outcomes := tr.outcomes(order)
	listed := tr.server.send(request{path: "/1/status/" + user + "/webhooks?limit=1"}).header.Get("X-Total-Count")
	if listed != strconv.Itoa(len(tr.accepted)) {
		t.Errorf("there are %s entries of %d deliveries", listed, len(tr.accepted))
	}
	for app := range apps {
		name := "app-" + strconv.Itoa(app)
		if got := tr.platform.app(name + ".localhost"); got.body != commitText(newest[app]) {
			t.Errorf("%s answers %d %q, want %q", name, got.status, got.body, commitText(newest[app]))
		}
	}
	tr.starts(outcomes, order)
	tr.report["deliveries accepted, with repeats"] = delivered
	tr.report["deliveries refused or cut off, and sent again"] = tr.refused
	tr.report["entries"] = len(tr.accepted)
	tr.report["duplicates"] += 0 // listed even if there are none
	tr.report["losses"] = len(tr.accepted) - len(outcomes)
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(tr.report)) {
		lines = append(lines, fmt.Sprintf("%6d %s", tr.report[what], what))
	}
	t.Logf("-seed %d:\n%s", seed, strings.Join(lines, "\n"))
}

// outcome is the outcome of a deployment.
type outcome struct {
	status   core.Status
	snapshot string // APP/ID
	attempts int
}

// starts compares the calls of the platform with the entries. A snapshot may be
// started as often as its entry was attempted, and no app goes back to an older one.
func (tr *troubled) starts(outcomes map[string]outcome, order map[string]int) {
	tr.t.Helper()
	attempts := map[string]int{} // by snapshot
	for _, o := range outcomes {
		attempts[o.snapshot] += o.attempts
	}
	if len(tr.started) == 0 {
		tr.t.Error("the platform has started nothing")
	}
	for app, snapshots := range tr.started {
		last, times := -1, map[string]int{}
		for _, id := range snapshots {
			at := -1
			for commit, place := range order {
				if strings.HasSuffix(id, commit[:12]) {
					at = place
				}
			}
			if at < last {
				tr.t.Errorf("%s: the platform went back to commit %d after %d", app, at, last)
			}
			last = at
			times[id]++
			tr.report["starts"]++
			if times[id] > attempts[app+"/"+id] {
				tr.report["duplicates"]++
				tr.t.Errorf("%s: %s was started %d times, in %d attempts", app, id, times[id], attempts[app+"/"+id])
			}
		}
	}
}

// outcomes waits until each accepted delivery has an outcome, and then reads the
// whole feed. It returns the outcomes by entry; order is that of the commits of an
// app.
func (tr *troubled) outcomes(order map[string]int) map[string]outcome {
	tr.t.Helper()
	ended := map[string]bool{}
	tr.changes(client.FeedOptions{}, func(c client.Change) (more bool) {
		ended[c.Doc.ID] = c.Status != core.StatusPending
		for _, id := range tr.accepted {
			if !ended[id] {
				return true
			}
		}
		return false
	})
	outcomes, runs := map[string]outcome{}, map[string]int{}
	tr.changes(client.FeedOptions{Once: true}, func(c client.Change) (more bool) {
		before, again := outcomes[c.Doc.ID]
		switch {
		case again && before.status != core.StatusSkipped: // a repeated delivery retries it
			tr.t.Errorf("entry %s is %s after it was %s", c.Doc.ID, c.Status, before.status)
		case c.Status == core.StatusPending:
			delete(outcomes, c.Doc.ID)
			return true
		case again:
			tr.t.Errorf("entry %s has a second outcome, %s", c.Doc.ID, c.Status)
		}
		at := order[c.Doc.Commit.ID]
		outcomes[c.Doc.ID] = outcome{c.Status, c.App + "/" + c.Doc.Snapshot, c.Doc.Attempts}
		switch c.Status {
		case core.StatusOK:
			if before, there := runs[c.App]; there && at <= before {
				tr.t.Errorf("%s went back from commit %d to %d", c.App, before, at)
			}
			runs[c.App] = at
		case core.StatusSkipped:
			if c.Doc.Reason == "" {
				tr.t.Errorf("entry %s does not say why it was skipped", c.Doc.ID)
			}
		default:
			tr.t.Errorf("entry %s ended as %s: %v", c.Doc.ID, c.Status, c.Doc.Error)
		}
		tr.report["outcomes "+string(c.Status)]++
		tr.report["attempts lost to a kill"] += c.Doc.Lost
		for _, step := range c.Doc.Steps {
			if step.State == core.StepRetry {
				tr.report["steps tried again"]++
			}
		}
		return true
	})
	for delivery, id := range tr.accepted {
		if _, ended := outcomes[id]; !ended {
			tr.t.Errorf("%s, entry %s, is lost", delivery, id)
		}
	}
	return outcomes
}

// changes reads a feed to its end, or until each returns false.
func (tr *troubled) changes(o client.FeedOptions, each func(c client.Change) (more bool)) {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(tr.t.Context(), 10*time.Minute)
	defer cancel()
	o.Since, o.Docs = "0", core.DocAlways
	o.Disconnected = func(err error, _ time.Duration) { tr.t.Errorf("the feed was cut off: %v", err) }
	for c, err := range tr.server.asUser().Feed(ctx, o) {
		if err != nil {
			tr.t.Fatalf("read feed: %v", err)
		}
		if !each(c) {
			return
		}
	}
}
