package kubernetes

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A platform removes the layers that an earlier one was making when it was killed, and
// keeps its id.
func TestStartRemovesLayers(t *testing.T) {
	t.Parallel()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(`{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}], users: [{name: a}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: t.TempDir(), Kubeconfig: kubeconfig, Image: image.Options{Registry: "registry.example.com/apps"}}
	begin := func() *Runner {
		t.Helper()
		r, err := New(o)
		if err == nil {
			err = r.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := begin()
	layer := filepath.Join(first.o.Image.Temp, "image-1", "app")
	if err := errors.Join(os.Mkdir(filepath.Dir(layer), 0o700), os.WriteFile(layer, []byte("part"), 0o600)); err != nil {
		t.Fatal(err)
	}
	first.Kill()
	second := begin()
	defer second.Kill()
	if _, err := os.Stat(layer); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the layer: %v", err)
	}
	if second.platform == "" || second.platform != first.platform {
		t.Errorf("the ids are %q and %q", first.platform, second.platform)
	}
}

// An app that can't be stopped, as the API does not answer, goes on.
func TestHaltWithoutAPI(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	a := answered(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	a.space, a.publishing = newSpace(a.runner.api, "apps", "", nil), ctxlock.New(1)
	a.current = a.newGeneration(runner.Version{Start: "server.js"}, "l1")
	a.current.update(a.current.slots[0], webPod(look{ready: true, at: 1}, "10.0.0.1"), false)
	if err := a.halt(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if target, ok := a.pick(""); !ok || target.Addr != "10.0.0.1:8080" {
		t.Errorf("picked %+v", target)
	}
}
