package cluster_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

const (
	user     = "dscape"
	password = "correct horse"
)

// ports counts the ports on the bridge that tests use; nothing else listens there.
var ports atomic.Int32

// freeAddress returns an address that pods reach and no other test uses.
func freeAddress() string {
	return net.JoinHostPort(shared.Host, strconv.Itoa(7000+int(ports.Add(1))))
}

// github starts a stand-in for GitHub that pods reach.
func github(t *testing.T) *sim.Server {
	t.Helper()
	address := freeAddress()
	hub := sim.New(sim.Options{
		Dir: filepath.Join(t.TempDir(), "github"), DeliveryTimeout: 2 * patience,
		WebURL: "http://" + address, // the server knows the forge by its host
	})
	if err := hub.Start(t.Context(), address, shared.Host+":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hub.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return hub
}

// push commits files to a repository, which is created first if it is new, pushes
// them, and returns the answer to the delivery.
func push(t *testing.T, hub *sim.Server, work, name string, files map[string]string) sim.Delivery {
	t.Helper()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(work, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("add", "--all")
	git("commit", "--quiet", "--message", "change")
	git("push", "--quiet", "origin", "HEAD")
	deliveries, err := hub.Pushed(t.Context(), user, name)
	if err != nil || len(deliveries) != 1 || deliveries[0].Err != nil {
		t.Fatalf("the deliveries are %v, %v", deliveries, err)
	}
	return deliveries[0]
}

// repository creates a repository with a webhook, and returns a working copy.
func repository(t *testing.T, hub *sim.Server, name, api string) (work string) {
	t.Helper()
	remote, err := hub.CreateRepository(t.Context(), user, name, false)
	if err != nil {
		t.Fatal(err)
	}
	work = t.TempDir()
	for _, args := range [][]string{{"init", "--quiet", "--initial-branch", "main"}, {"remote", "add", "origin", remote}} {
		cmd := exec.CommandContext(t.Context(), "git", args...) //nolint:gosec // arguments of the test
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	address := strings.Replace(api, "://", "://"+user+":"+strings.ReplaceAll(password, " ", "%20")+"@", 1) + "/1/deploy"
	ping, err := hub.Hook(t.Context(), user, name, address, sim.HookOptions{ContentType: "json"})
	if err != nil || ping.Status != http.StatusOK {
		t.Fatalf("the ping: %d %s, %v", ping.Status, ping.Body, err)
	}
	return work
}

// app requests an app at a router, by its host name.
func app(t *testing.T, router, host string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, router)
		},
	}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// answering is the source of an app that answers with a text and the name of its
// host, which is that of its pod.
func answering(name, text string) map[string]string {
	return map[string]string{
		"package.json": `{"name":"` + name + `","version":"1.0.0","scripts":{"start":"node index.js"}}`,
		"index.js": `const server = require('node:http').createServer((q, r) => r.end('` + text + ` ' + require('node:os').hostname()));
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit()));
`,
	}
}
