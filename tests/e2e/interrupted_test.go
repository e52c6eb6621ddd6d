package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// onCluster is a server whose apps are in a cluster, and whose calls of the cluster and
// of the registry lead through checkpoints.
type onCluster struct {
	*sender
	*checkpoints
	h         hub
	namespace string
	registry  string
}

// killable starts a server whose apps are in a cluster.
func killable(t *testing.T, more ...string) *onCluster {
	t.Helper()
	h := github(t)
	c := &onCluster{checkpoints: &checkpoints{t: t}, h: h}
	flags := inCluster(t)
	c.namespace = flags[slices.Index(flags, "--kubernetes-namespace")+1]
	flags, c.registry = throughCheckpoints(t, c.checkpoints, flags)
	flags = append(flags, "--keep-snapshots", "1", "--kubernetes-ingress-class", "nginx", "--kubernetes-network-policy", "default")
	c.sender = &sender{t: t, accepted: map[string]string{}}
	c.server = serve(t, h.flags(append(flags, more...)...)...)
	return c
}

// call calls the platform's API. The error says that it did not answer whole.
func (c *onCluster) call(method, path, body string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(c.sender.t.Context(), method, c.server.platform+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	read, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(read), err
}

// objects returns the kinds of the objects of an app that are not being deleted.
func (c *onCluster) objects(t *testing.T, app string) string {
	t.Helper()
	found := kubectl(t, "-n", c.namespace, "get", "deployments,pods,secrets,services,poddisruptionbudgets,ingresses,networkpolicies",
		"-l", "app.kubernetes.io/managed-by=webhooks,app.kubernetes.io/name="+app, "-o", `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.kind}} {{end}}{{end}}`)
	kinds := strings.Fields(found)
	slices.Sort(kinds)
	return strings.Join(kinds, " ")
}

// stopAt has the platform killed at a checkpoint that begin leads to, and starts it again.
func (c *onCluster) stopAt(t *testing.T, point string, begin func(ctx context.Context) error) {
	t.Helper()
	reached, release := c.arm(point)
	defer release()
	ended := make(chan error, 1)
	go func() { ended <- begin(t.Context()) }()
	select {
	case <-reached:
	case err := <-ended:
		t.Fatalf("it has ended before it reached the call: %v", err)
	case <-time.After(patience):
		t.Fatalf("it has not reached the call within %s", patience)
	}
	c.restart()
	release()
	if err := next(t, "the end of what was interrupted", ended); err == nil {
		t.Error("what was interrupted has succeeded")
	}
	c.server.ready(http.StatusOK)
}

const (
	// ofAnApp are the objects of an app with one drone.
	ofAnApp = "Deployment Ingress NetworkPolicy Pod PodDisruptionBudget Secret Service"
	forever = `node -e "setInterval(() => {}, 1000)"`
)

// A platform that is killed at any step of the first deployment of an app, of a command
// that runs once or of the destruction of an app goes on after its restart or says that
// it has failed: nothing runs that should not, and nothing is left.
func TestKilledAtEachStepOfAnApp(t *testing.T) {
	t.Parallel()
	if os.Getenv("WEBHOOKS_TEST_SKIP") == "cluster" {
		return
	}
	c := killable(t)
	left := func(app string) string {
		return fmt.Sprintf("%s, %d images, %d snapshots", c.objects(t, app), len(images(t, c.registry, app)), len(c.server.snapshots(t, app)))
	}
	var apps []string
	for _, point := range []string{
		"after registry POST .*/blobs/uploads/",
		"after registry PUT .*/manifests/.*",
		"after cluster PATCH .*/poddisruptionbudgets/.*",
		"after cluster PATCH .*/secrets/.*",
		"after cluster PATCH .*/deployments/.*",
		"after cluster PATCH .*/services/.*",
		"after cluster PATCH .*/ingresses/.*",
	} {
		app := fmt.Sprintf("app%d", len(apps))
		apps = append(apps, app)
		repo := c.h.repository(app)
		commit := repo.commit("first", map[string]string{"package.json": packageJSON(app), "index.js": node(app)})
		t.Run("first deployment, "+point, func(t *testing.T) {
			reached, release := c.arm(point)
			defer release()
			accepted := make(chan error, 1)
			go func() { accepted <- c.deliver(repo.delivery(t, commit, "", async()), app) }()
			c.reach(app, reached)
			c.restart()
			release()
			if err := next(t, "the answer to the delivery", accepted); err != nil {
				t.Fatal(err)
			}
			c.server.outcome(c.accepted[app], "ok")
			if got := c.server.app(app + ".localhost"); got.body != app {
				t.Errorf("the app answers %d %s", got.status, got.body)
			}
			eventually(t, "the app is all that is left", func() bool { return left(app) == ofAnApp+", 1 images, 1 snapshots" }, func() string { return left(app) })
		})
	}
	pods := func(app string) string {
		return kubectl(t, "-n", c.namespace, "get", "pods", "-l", "app.kubernetes.io/name="+app, "-o", `jsonpath={range .items[*]}{.metadata.uid} {end}`)
	}
	before := pods(apps[0])
	for _, step := range []struct{ point, command string }{
		{"after cluster PATCH .*/secrets/.*", forever},
		{"after cluster POST .*/pods", forever},
		{"before cluster GET .*/pods/.*/log", forever},
		{"after cluster DELETE .*/pods/.*", "node -p 1"},
		{"after cluster DELETE .*/secrets", "node -p 1"},
	} {
		t.Run("command, "+step.point, func(t *testing.T) {
			c.stopAt(t, step.point, func(context.Context) error {
				_, _, err := c.call(http.MethodPost, "/apps/"+user+"/"+apps[0]+"/run", fmt.Sprintf(`{"command":%q}`, step.command))
				return err
			})
			eventually(t, "only the app is left", func() bool { return left(apps[0]) == ofAnApp+", 1 images, 1 snapshots" && pods(apps[0]) == before }, func() string { return left(apps[0]) + pods(apps[0]) })
		})
	}
	if status, text, err := c.call(http.MethodPost, "/apps/"+user+"/"+apps[0]+"/run", `{"command":"node -p 1+1"}`); err != nil || status != http.StatusOK || text != "2\n" {
		t.Errorf("a command: %d %q, %v", status, text, err)
	}
	for i, point := range []string{
		"after cluster DELETE .*/deployments",
		"after cluster DELETE .*/services/.*",
		"after cluster DELETE .*/poddisruptionbudgets/.*",
		"after cluster DELETE .*/networkpolicies/.*",
		"after cluster DELETE .*/secrets",
		"after registry DELETE .*/manifests/.*",
	} {
		app := apps[i]
		t.Run("destruction, "+point, func(t *testing.T) {
			c.stopAt(t, point, func(context.Context) error {
				_, _, err := c.call(http.MethodDelete, "/apps/"+user+"/"+app, "")
				return err
			})
			if got := c.server.app(app + ".localhost"); got.status != http.StatusServiceUnavailable {
				t.Fatalf("the app answers %d %s", got.status, got.body)
			}
			// What the cluster runs is removed without a second call.
			eventually(t, "no object is left", func() bool { return c.objects(t, app) == "" }, func() string { return left(app) })
		})
	}
	var destroying sync.WaitGroup
	for _, app := range apps {
		destroying.Go(func() {
			if status, text, err := c.call(http.MethodDelete, "/apps/"+user+"/"+app, ""); err != nil || status != http.StatusOK {
				t.Errorf("destroying %s again: %d %s, %v", app, status, text, err)
			}
		})
	}
	destroying.Wait()
	for _, app := range apps {
		if got := left(app); got != ", 0 images, 0 snapshots" {
			t.Errorf("of %s is left: %s", app, got)
		}
	}
}
