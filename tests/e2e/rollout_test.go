package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// throughCheckpoints returns the flags of a server in a cluster whose calls of the API
// and of the registry lead through checkpoints, and the address of the registry.
func throughCheckpoints(t *testing.T, c *checkpoints, flags []string) (all []string, registry string) {
	t.Helper()
	text, err := os.ReadFile(nodes.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	api := c.toURL("cluster", nodes.API, nodes.Transport())
	changed := regexp.MustCompile(`server: "[^"]*", certificate-authority-data: [^}]*`).ReplaceAllLiteralString(string(text), "server: "+api.URL+", insecure-skip-tls-verify: true")
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	registry = addressOf(c.to("registry", nodes.Registry).URL)
	return append(flags, "--kubeconfig", kubeconfig, "--registry", registry+"/apps"), registry
}

// A platform that is killed before or after any call that a rollout makes to the
// cluster and to the registry goes on after its restart: the app answers throughout,
// the new version runs in the end, and nothing is left of what was not finished.
func TestKilledAtEachStepOfARollout(t *testing.T) {
	t.Parallel()
	if os.Getenv("WEBHOOKS_TEST_SKIP") == "cluster" {
		return
	}
	s := killable(t)
	repo := s.h.repository("shop")
	repo.commit("first", map[string]string{
		"package.json": packageJSON("shop"), "Procfile": "web: node index.js\nworker: node worker.js\n", "worker.js": "setInterval(() => {}, 1000)",
	})
	rollout := func(version string) (accepted <-chan error) {
		t.Helper()
		commit := repo.commit(version, map[string]string{"index.js": node(version)})
		done := make(chan error, 1)
		go func() { done <- s.deliver(repo.delivery(t, commit, "", async()), version) }()
		return done
	}
	served := func(version string) {
		t.Helper()
		s.server.outcome(s.accepted[version], "ok")
		if app := s.server.app("shop.localhost"); app.body != version {
			t.Errorf("the app answers %d %s, want %s", app.status, app.body, version)
		}
		left := func() (found string) {
			objects := kubectl(t, "-n", s.namespace, "get", "deployments,secrets", "-l", "app.kubernetes.io/managed-by=webhooks",
				"-o", `jsonpath={range .items[*]}{.kind} {.metadata.labels.app\.kubernetes\.io/component}{"\n"}{end}`)
			lines := strings.Split(strings.TrimSuffix(objects, "\n"), "\n")
			slices.Sort(lines)
			return fmt.Sprintf("%s\nimages %q\nsnapshots %q", strings.Join(lines, "\n"), images(t, s.registry, "shop"), s.server.snapshots(t, "shop"))
		}
		eventually(t, "only "+version+" is left", func() bool {
			snapshots := s.server.snapshots(t, "shop")
			return left() == fmt.Sprintf("Deployment web\nDeployment worker\nSecret \nimages %q\nsnapshots %q", snapshots, snapshots)
		}, left)
	}
	for _, version := range []string{"v0", "v1"} { // each of the following removes one
		if err := next(t, "the answer to the delivery", rollout(version)); err != nil {
			t.Fatal(err)
		}
		served(version)
	}
	sent, lost := requests(t, "http://"+kubectl(t, "-n", s.namespace, "get", "service", "dscape-shop", "-o", "jsonpath={.spec.clusterIP}"))
	n := 1
	// Before a call everything is as it was after the one before it.
	for _, point := range []string{
		"before registry POST .*/blobs/uploads/",
		"after registry POST .*/blobs/uploads/",
		"after registry PUT .*/blobs/uploads/.*",
		"after registry PUT .*/manifests/.*",
		"after cluster GET .*/services/.*",
		"after cluster PATCH .*/networkpolicies/.*",
		"after cluster PATCH .*/poddisruptionbudgets/.*",
		"after cluster PATCH .*/secrets/.*",
		"after cluster PATCH .*/deployments/.*-worker",
		"after cluster PATCH .*/deployments/dscape-shop-[^-]*",
		"after cluster PATCH .*/services/.*",
		"after cluster PATCH .*/ingresses/.*",
		"after cluster DELETE .*/deployments",
		"after cluster DELETE .*/secrets",
		"after registry DELETE .*/manifests/sha256:.*",
	} {
		n++
		version := fmt.Sprintf("v%d", n)
		t.Run(point, func(t *testing.T) {
			reached, release := s.arm(point)
			defer release()
			accepted := rollout(version)
			s.reach(version, reached)
			s.restart()
			release()
			if err := next(t, "the answer to the delivery", accepted); err != nil {
				t.Fatal(err)
			}
			served(version)
		})
	}
	if n, failed := sent(), lost(); failed != "" || n == 0 {
		t.Errorf("of %d requests: %s", n, failed)
	}
	pods := func() string { return kubectl(t, "-n", s.namespace, "get", "pods", "-o", "name") }
	eventually(t, "two pods are left", func() bool { return strings.Count(pods(), "\n") == 2 }, pods)
}

// reach waits until the deployment of a delivery has reached a checkpoint. It fails at
// once if the deployment ends with an error before.
func (s *sender) reach(delivery string, reached <-chan struct{}) {
	s.t.Helper()
	ticks, late := time.NewTicker(time.Second), time.After(patience)
	defer ticks.Stop()
	for {
		select {
		case <-reached:
			return
		case <-late:
			s.t.Fatalf("the deployment has not reached the call within %s", patience)
		case <-ticks.C:
		}
		s.mu.Lock()
		id := s.accepted[delivery]
		s.mu.Unlock()
		if id == "" {
			continue
		}
		change := s.server.send(request{path: "/1/status/" + user + "/changes/" + id}).json(s.t)
		if change["status"] == "error" {
			s.t.Fatalf("the deployment has ended before it reached the call: %v", change["doc"])
		}
	}
}

// kubectl runs kubectl on the cluster and returns what it prints.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := nodes.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// snapshots returns the ids of the snapshots of an app.
func (s *server) snapshots(t *testing.T, app string) (ids []string) {
	t.Helper()
	archives, err := os.ReadDir(filepath.Join(s.data, "platform", "archives", user, app))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, a := range archives {
		ids = append(ids, strings.TrimSuffix(a.Name(), ".tgz"))
	}
	return ids
}

// images returns the tags of the images of an app of dscape's.
func images(t *testing.T, registry, app string) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+registry+"/v2/apps/dscape/"+app+"/tags/list", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var found struct{ Tags []string }
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil {
		t.Fatal(err)
	}
	slices.Sort(found.Tags)
	return found.Tags
}

// requests sends requests one after the other until the first of the results is read;
// the second says what was wrong with the first that was not answered.
func requests(t *testing.T, url string) (sent func() int, lost func() string) {
	t.Helper()
	var stop atomic.Bool
	done := make(chan struct{})
	t.Cleanup(func() { stop.Store(true); <-done })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	all, failed := 0, ""
	go func() {
		defer close(done)
		for ; !stop.Load() && failed == ""; all++ {
			resp, err := client.Get(url) //nolint:noctx // it ends with the server of the cluster
			if err != nil {
				failed = fmt.Sprintf("%v: %v", time.Now().UTC(), err)
				return
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close() // only read
			if err != nil || resp.StatusCode != http.StatusOK {
				failed = fmt.Sprintf("%v: %s %s, %v", time.Now().UTC(), resp.Status, body, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() int { stop.Store(true); <-done; return all }, func() string { <-done; return failed }
}
