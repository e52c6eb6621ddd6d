package processes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/router"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// underLoad calls do while clients send GET and POST requests to an app
// continuously, over reused and new connections. None may fail, and each client gets
// at least that many responses.
func (b *fixture) underLoad(app string, responses int, do func()) {
	t := b.t
	t.Helper()
	r := router.New(router.Options{
		Lookup: func(string) (string, string, bool) { return "me", app, true },
		Pick:   b.Pick,
	})
	server := httptest.NewServer(r)
	defer func() {
		server.Close()
		r.Close()
	}()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	counts := make([]atomic.Int64, 4)
	for i := range counts {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		method, body := http.MethodGet, ""
		if i >= 2 {
			method, body = http.MethodPost, "body"
		}
		clients.Go(func() {
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				req, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Errorf("client %d, request %d: %v", i, counts[i].Load(), err)
					return
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("client %d, request %d: %d %q, %v", i, counts[i].Load(), resp.StatusCode, text, err)
					return
				}
				counts[i].Add(1)
			}
		})
	}
	do()
	for i := range counts {
		await(t, "responses to each client", func() bool { return t.Failed() || counts[i].Load() >= int64(responses) })
	}
	close(stop)
	clients.Wait()
}

// No request is lost while an app is switched repeatedly.
func TestNoRequestIsLostDuringSwitch(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Drones = 2
	spec.Env = map[string]string{"ANSWER": "0"}
	b.mustSwitch(spec)
	const switches = 6
	b.underLoad("app", switches, func() {
		for n := 1; n <= switches; n++ {
			spec.Snapshot = strconv.Itoa(n)
			spec.Env = map[string]string{"ANSWER": strconv.Itoa(n)}
			b.mustSwitch(spec)
			if got := b.get("app", "/"); got != strconv.Itoa(n)+"\n" {
				t.Errorf("after switch %d got response %q", n, got)
			}
		}
	})
}

// No request is lost while the keepers of an app are killed one after the other.
func TestNoRequestIsLostWithKeepers(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	b.mustSwitch(b.app("app", "serve.js"))
	const kills = 4
	b.underLoad("app", kills, func() {
		for n := 1; n <= kills; n++ {
			pid := b.report("app").Pid
			if err := syscall.Kill(parent(t, pid), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			b.await("app", func(s runner.State) bool { return s.Restarts == n })
			await(t, "the former drone ended", func() bool { return !runs(pid) })
		}
	})
}
