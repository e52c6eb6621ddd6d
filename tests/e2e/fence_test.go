package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// A server is paused for longer than its lease while its call of the platform is on
// its way. Another server deploys a newer commit, and then the call arrives. It
// changes nothing, neither at once nor when the app is started again.
func TestLateCallOfThePlatform(t *testing.T) {
	t.Parallel()
	h, store := github(t), redistest.Start(t)
	platform := run(t, "platform", 2)
	platform.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", platform.data)
	arrived, release, answered := make(chan struct{}, 100), make(chan struct{}), make(chan int, 100)
	slow := way(t, addressOf(platform.platform), func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/start") {
			arrived <- struct{}{}
			<-release
		}
	}, func(r *http.Request, answer *http.Response) {
		if strings.HasSuffix(r.URL.Path, "/start") {
			answered <- answer.StatusCode
		}
	})
	flags := func(to string) []string {
		return h.flags("--redis", store.Addr, "--platform-url", to, "--lease", longLease,
			"--platform-key-file", filepath.Join(platform.data, "platform", "platform.key"))
	}
	paused := run(t, "serve", 1, flags(slow.URL)...)
	repo := h.repository("late")
	first := repo.commit("first", map[string]string{"package.json": packageJSON("late"), "index.js": node("first")})
	old, _ := paused.send(repo.delivery(t, first, "", async())).change(t, 202, "pending")["id"].(string)
	<-arrived
	second := repo.commit("second", map[string]string{"index.js": node("second")})
	id, _ := paused.send(repo.delivery(t, second, "", async())).change(t, 202, "pending")["id"].(string)
	if err := paused.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	other := run(t, "serve", 1, flags(platform.platform)...)
	other.outcome(id, "ok")
	other.outcome(old, "skipped")
	close(release)
	if status := <-answered; status != http.StatusConflict {
		t.Errorf("the late call was answered with %d", status)
	}
	if err := paused.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	owner := &server{t: t, api: platform.platform}
	for range 2 {
		if app := platform.app("late.localhost"); app.body != "second" {
			t.Errorf("the app answers %d %s", app.status, app.body)
		}
		for _, command := range []string{"stop", "start"} {
			if got := owner.send(request{path: "/apps/" + user + "/late/" + command, body: "{}"}); got.status != 200 {
				t.Fatalf("%s: %d %s", command, got.status, got.body)
			}
		}
	}
	after := other.send(request{path: "/1/status/" + user + "/changes/" + old[strings.LastIndex(old, "/")+1:]}).change(t, 200, "skipped")
	if attempts := other.entry(after)["attempts"]; attempts != float64(2) {
		t.Errorf("got %v attempts, want a second one", attempts)
	}
}
