package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// quit ends the process with SIGQUIT, which makes it print its goroutines, and
// returns their number.
func (s *server) quit() int {
	s.t.Helper()
	before := len(s.stderr())
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		s.t.Fatal(err)
	}
	<-s.exited
	printed := s.stderr()[before:]
	return strings.Count(printed, "\ngoroutine ")
}

// files returns how many files and connections the process has open.
func (s *server) files() int {
	s.t.Helper()
	open, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "fd"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(open)
}

// Deployments leave no file, connection or goroutine of the server open.
func TestDeploymentsLeakNothing(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("often")
	deploy := func(times int) (files, goroutines int) {
		t.Helper()
		for i := range times {
			commit := repo.commit(strconv.Itoa(i), map[string]string{"package.json": packageJSON("often"), "index.js": node(strconv.Itoa(i))})
			s.send(repo.delivery(t, commit, "", nil)).change(t, 200, "ok")
		}
		files = s.files()
		return files, s.quit()
	}
	fewFiles, few := deploy(3)
	s.start()
	manyFiles, many := deploy(40)
	s.start()
	t.Logf("files: %d after 3, %d after 40; goroutines: %d and %d", fewFiles, manyFiles, few, many)
	// What is kept for later, as idle connections are, comes and goes. What leaks
	// does so at each of the 37 more deployments.
	const slack = 30
	if manyFiles > fewFiles+slack {
		t.Errorf("%d files are open after 40 deployments, and %d after 3", manyFiles, fewFiles)
	}
	if few == 0 || many > few+slack {
		t.Errorf("%d goroutines run after 40 deployments, and %d after 3", many, few)
	}
}

// A feed is not cut by the time limit for other answers.
func TestFeedOutlivesWriteTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t)
	feed := s.open(t.Context(), request{path: "/1/status/dscape/changes?heartbeat=32000"})
	defer feed.Body.Close() //nolint:errcheck // only read
	beats := 0
	lines := bufio.NewScanner(feed.Body)
	for beats < 2 && lines.Scan() { // the second comes after more than a minute
		if lines.Text() == "" {
			beats++
		}
	}
	last := s.ping()
	for lines.Scan() && lines.Text() == "" {
	}
	if seq, _ := last["seq"].(string); beats != 2 || !strings.Contains(lines.Text(), `"seq":"`+seq+`"`) {
		t.Errorf("after %d heartbeats got %q, %v; want %v", beats, lines.Text(), lines.Err(), last)
	}
}

// A second signal ends the server at once, whatever it waits for, and nothing is
// lost.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--shutdown-delay", "1h")...)
	repo := h.repository("twice")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("twice"), "index.js": node("after all")})
	arrived, release := h.Hold(sim.Matching("GET", "/contents/package.json"))
	id, _ := s.send(repo.delivery(t, commit, "one", async())).change(t, 202, "pending")["id"].(string)
	<-arrived
	signal := func() {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	s.ready(http.StatusServiceUnavailable)
	signal()
	<-s.exited
	release()
	if status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended by %v, want by the signal", s.cmd.ProcessState)
	}
	s.start()
	s.outcome(id, "ok")
	if app := s.app("twice.localhost"); app.body != "after all" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	// Its apps go with it.
	marked := s.marked()
	if pids, err := group.Find(marked); err != nil || len(pids) == 0 {
		t.Errorf("the app is not found by its mark %s: %v", marked, err)
	}
	signal()
	s.ready(http.StatusServiceUnavailable)
	signal()
	<-s.exited
	if pids, err := group.Find(marked); err != nil || len(pids) > 0 {
		t.Errorf("processes %v are left, %v", pids, err)
	}
}

// marked returns what begins the mark of each process that the server started for
// an app.
func (s *server) marked() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.data, "platform", "drones", "state.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var state struct{ Instance string }
	if err := json.Unmarshal(text, &state); err != nil || state.Instance == "" {
		s.t.Fatalf("%v in %s", err, text)
	}
	return state.Instance + "."
}

// A signal during the start stops the server like one after it.
func TestSignalDuringStart(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.stop()
	begun := filepath.Join(s.data, "platform", "platform.url") // that is written as one of the last things
	cmd := exec.CommandContext(t.Context(), program, "serve", "--data", s.data,
		"--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0", "--apps-listen", "127.0.0.1:0")
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, begun+" is there", func() bool {
		_, err := os.Stat(begun)
		return err == nil
	}, func() string { return "" })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended by %v: %s", err, log.String())
	}
	if _, err := os.Stat(begun); !os.IsNotExist(err) {
		t.Errorf("the file with the platform's URL is still there: %v", err)
	}
	s.start()
}

// A thousand readers of a feed get each change, once.
func TestManyReaders(t *testing.T) {
	t.Parallel()
	const readers = 1000
	s := serve(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	var opened, read sync.WaitGroup
	got := make(chan []string, readers)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	opening := make(chan struct{}, 16) // each has to authenticate
	for range readers {
		opened.Add(1)
		read.Go(func() {
			opening <- struct{}{}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/1/status/"+user+"/changes?heartbeat=3600000", http.NoBody)
			if err != nil {
				t.Error(err)
			}
			req.SetBasicAuth(user, password)
			response, err := (&http.Client{Transport: transport}).Do(req)
			<-opening
			opened.Done()
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close() //nolint:errcheck // only read
			var seqs []string
			for lines := bufio.NewScanner(response.Body); len(seqs) < 2 && lines.Scan(); {
				_, rest, _ := strings.Cut(lines.Text(), `"seq":"`)
				seq, _, _ := strings.Cut(rest, `"`)
				seqs = append(seqs, seq)
			}
			got <- seqs
		})
	}
	opened.Wait()
	var want []string
	for range 2 {
		seq, _ := s.ping()["seq"].(string)
		want = append(want, seq)
	}
	for range readers {
		if seqs := next(t, "changes of a reader", got); !slices.Equal(seqs, want) {
			t.Fatalf("a reader got %v, want %v", seqs, want)
		}
	}
	end()
	read.Wait()
}
