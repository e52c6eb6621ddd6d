package processes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/router"
)

// Clients that send GET and POST requests continuously, over reused and new
// connections, get no error while the app is switched repeatedly.
func TestNoRequestIsLostDuringSwitch(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Drones = 2
	spec.Env = map[string]string{"ANSWER": "0"}
	b.mustSwitch(spec)
	r := router.New(router.Options{
		Lookup: func(string) (string, string, bool) { return "me", "app", true },
		Pick:   b.Pick,
	})
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		r.Close()
	})

	stop := make(chan struct{})
	var clients sync.WaitGroup
	counts := make([]int, 4)
	for i := range counts {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		method, body := http.MethodGet, ""
		if i >= 2 {
			method, body = http.MethodPost, "body"
		}
		clients.Go(func() {
			for {
				select {
				case <-stop:
					client.CloseIdleConnections()
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
					t.Errorf("client %d, request %d: %v", i, counts[i], err)
					return
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("client %d, request %d: %d %q, %v", i, counts[i], resp.StatusCode, text, err)
					return
				}
				counts[i]++
			}
		})
	}
	const switches = 6
	for n := 1; n <= switches; n++ {
		spec.Snapshot = strconv.Itoa(n)
		spec.Env = map[string]string{"ANSWER": strconv.Itoa(n)}
		b.mustSwitch(spec)
		if got := b.get("app", "/"); got != strconv.Itoa(n)+"\n" {
			t.Errorf("after switch %d got response %q", n, got)
		}
	}
	close(stop)
	clients.Wait()
	for i, n := range counts {
		if n < switches {
			t.Errorf("client %d got only %d responses", i, n)
		}
	}
	t.Logf("responses by client: %v", counts)
}
