package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"

	"github.com/nodejitsu/webhooks/tests/internal/built"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// manifests is the folder of what docs/kubernetes.md applies.
const manifests = "../../tools/package/kubernetes"

// pushServer makes an image of the program, as tools/package/Containerfile does, and
// one of Redis.
func pushServer(t *testing.T) (server, redis string) {
	t.Helper()
	program, err := built.Program(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	npm, err := exec.LookPath("npm")
	if err == nil {
		npm, err = filepath.EvalSymlinks(npm) // …/npm/bin/npm-cli.js
	}
	if err != nil {
		t.Fatal(err)
	}
	redisServer, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	server, redis = shared.Registry+"/webhooks:test", shared.Registry+"/redis:test"
	push := func(reference string, config v1.Config, programs ...string) {
		t.Helper()
		files := map[string]string{}
		for _, p := range programs {
			if err := shared.AddProgram(t.Context(), files, "/usr/bin/"+filepath.Base(p), p); err != nil {
				t.Fatal(err)
			}
		}
		if reference == server {
			const inside = "/usr/lib/node_modules/npm"
			links := t.TempDir()
			if err := os.Symlink(inside+"/bin/npm-cli.js", filepath.Join(links, "npm")); err != nil {
				t.Fatal(err)
			}
			files[inside], files["/usr/local/bin"] = filepath.Dir(filepath.Dir(npm)), links
		}
		if err := shared.Push(t.Context(), reference, config, shared.Base, files); err != nil {
			t.Fatal(err)
		}
	}
	push(server, v1.Config{Entrypoint: []string{"webhooks"}}, program, "/usr/bin/env")
	push(redis, v1.Config{}, redisServer)
	return server, redis
}

// overlay writes a kustomization of the manifests for this cluster, and returns its
// folder.
func overlay(t *testing.T, server, redis string, hub *sim.Server) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "base"), os.DirFS(manifests)); err != nil {
		t.Fatal(err)
	}
	replace := func(name string, pairs ...string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(manifests, name))
		if err != nil {
			t.Fatal(err)
		}
		changed := string(text)
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(changed, pairs[i]) {
				t.Fatalf("%s has no %q", name, pairs[i])
			}
			changed = strings.ReplaceAll(changed, pairs[i], pairs[i+1])
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace("platform.yml", "registry.example.com", shared.Registry, "apps.example.com", "apps.test", "runner: kubernetes", "base-image: "+shared.Base+"\nready-timeout: "+patience.String()+"\nrunner: kubernetes")
	replace("server.yml", "base-url", "github-url: "+hub.URL()+"\ngithub-archive-hosts: "+hub.ArchiveHost()+"\nwait: "+patience.String()+"\nauth-timeout: "+patience.String()+"\nbase-url")
	text := fmt.Sprintf(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [base]
configMapGenerator:
  - {name: platform, namespace: webhooks, behavior: merge, files: [platform.yml]}
  - {name: server, namespace: webhooks, behavior: merge, files: [server.yml]}
images:
  - {name: registry.example.com/webhooks, newName: %s, newTag: test}
  - {name: redis, newName: %s, newTag: test}
`, strings.TrimSuffix(server, ":test"), strings.TrimSuffix(redis, ":test"))
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The platform has the rights that its runner names, and no others.
func TestManifestsGiveTheRightsOfTheRunner(t *testing.T) {
	t.Parallel()
	rules := func(path string) (all []any) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var object struct {
				Kind  string
				Rules []any
			}
			err := documents.Decode(&object)
			if errors.Is(err, io.EOF) {
				return all
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, object.Rules...)
		}
	}
	want, got := rules("../../deployer/platform/kubernetes/role.yaml"), rules(filepath.Join(manifests, "access.yaml"))
	if len(want) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("the rights are\n%v, want\n%v", got, want)
	}
}

// The manifests install servers, platform and Redis with the rights that they give,
// and a push to a server becomes an app that answers.
func TestManifests(t *testing.T) {
	t.Parallel()
	hub := github(t)
	t.Cleanup(func() {
		if t.Failed() {
			showNamespace(t, "webhooks")
			showNamespace(t, "webhooks-apps")
		}
	})
	server, redis := pushServer(t)
	for _, name := range []string{"redis", "platform"} {
		if err := shared.Volume(t.Context(), name, "webhooks", "data-"+name+"-0"); err != nil {
			t.Fatal(err)
		}
	}
	kubectl(t, "", "apply", "-f", filepath.Join(manifests, "namespaces.yaml"))
	kubectl(t, "", "create", "secret", "generic", "webhooks-keys", "-n", "webhooks",
		"--from-literal=platform.key="+strings.Repeat("0123456789abcdef", 4), "--from-literal=redis.password=canary-redis", "--from-literal=seal.keys=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	kubectl(t, "", "apply", "-k", overlay(t, server, redis, hub))
	for _, object := range []string{"statefulset/redis", "statefulset/platform", "deployment/server"} {
		kubectl(t, "", "rollout", "status", object, "-n", "webhooks", "--timeout", patience.String())
	}
	// What docs/kubernetes.md has next.
	kubectl(t, password+"\n", "exec", "-i", "-n", "webhooks", "platform-0", "--", "webhooks", "users", "add", user, "--new-password-file", "-")
	address := func(service string) string {
		t.Helper()
		return kubectl(t, "", "get", "service", service, "-n", "webhooks", "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")
	}
	work := repository(t, hub, "hello", "http://"+address("server"))
	got := push(t, hub, work, "hello", answering("hello", "first"))
	if got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"status":"ok"`) {
		t.Fatalf("the push: %d %s", got.Status, got.Body)
	}
	answers := func() (pod string) {
		t.Helper()
		status, body := app(t, address("apps"), "hello.apps.test")
		pod, ok := strings.CutPrefix(body, "first ")
		if status != http.StatusOK || !ok {
			t.Fatalf("the app answers %d %s, and the push %s", status, body, got.Body)
		}
		return pod
	}
	pod := answers()
	if backup := kubectl(t, "", "exec", "-n", "webhooks", "platform-0", "--", "webhooks", "admin", "backup", "-"); !strings.HasPrefix(backup, "\x1f\x8b") {
		t.Errorf("the backup is %.100q, want a gzip archive", backup)
	}
	// Whatever is killed, the app answers by its own Service; what was killed comes back
	// by itself, and takes the app over as it runs.
	sent, lost := load(t, kubectl(t, "", "get", "service", "dscape-hello", "-n", "webhooks-apps", "-o", "jsonpath={.spec.clusterIP}:80"))
	names := kubectl(t, "", "get", "pods", "-n", "webhooks", "-o", "jsonpath={.items[*].metadata.name}")
	for name := range strings.FieldsSeq(names) {
		container := func() string {
			return kubectl(t, "", "get", "pod", name, "-n", "webhooks", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
		}
		killed := container()
		if err := shared.Kill(killed); err != nil {
			t.Fatal(err)
		}
		await(t, "another container of "+name, func() bool {
			state := kubectl(t, "", "get", "pod", name, "-n", "webhooks", "-o", "jsonpath={.status.containerStatuses[0].ready} {.status.containerStatuses[0].containerID}")
			return strings.HasPrefix(state, "true ") && state != "true "+killed
		})
		if again := answers(); again != pod {
			t.Errorf("after %s was killed pod %s answers, want %s", name, again, pod)
		}
	}
	if sent, lost := sent(), lost(); lost > 0 || sent == 0 {
		t.Errorf("%d of %d requests are lost", lost, sent)
	}
	if got := push(t, hub, work, "hello", answering("hello", "second")); got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"status":"ok"`) {
		t.Errorf("the second push: %d %s", got.Status, got.Body)
	}
	if _, body := app(t, address("apps"), "hello.apps.test"); !strings.HasPrefix(body, "second ") {
		t.Errorf("the app answers %s", body)
	}
}

// load sends requests one after the other until the first of the counts is read.
func load(t *testing.T, address string) (sent, lost func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	done := make(chan struct{})
	var all, failed int
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; all++ {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", http.NoBody)
			if err != nil {
				failed++
				continue
			}
			resp, err := client.Do(req)
			if err != nil {
				failed++
				continue
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				failed++
			}
			_ = resp.Body.Close() // only read
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return func() int { cancel(); <-done; return all }, func() int { return failed }
}
