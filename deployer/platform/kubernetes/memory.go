package kubernetes

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// memoryLimit is for how long the metrics are waited for.
const memoryLimit = 2 * time.Second

// Memory implements runner.Runner. A metrics server has what the drones use; without
// one, it is not known.
func (r *Runner) Memory(user, app string) int64 {
	a := r.known(user, app)
	if a == nil {
		return 0
	}
	a.mu.Lock()
	g := a.current
	a.mu.Unlock()
	if g == nil || r.ctx == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(r.ctx, memoryLimit)
	defer cancel()
	return g.memory(ctx)
}

// memory returns the memory that the pods of the launch use, in bytes; 0 if it is not
// known.
func (g *generation) memory(ctx context.Context) (bytes int64) {
	var found struct {
		Items []struct {
			Containers []struct {
				Usage struct{ Memory resource.Quantity }
			}
		}
	}
	query := url.Values{"labelSelector": {selector(labelLaunch, g.launch)}}
	call := request{method: http.MethodGet, path: podMetrics.path(g.app.namespace, ""), query: query}
	if g.app.runner.api.try(ctx, call, &found) != nil {
		return 0
	}
	for _, pod := range found.Items {
		for _, c := range pod.Containers {
			bytes += c.Usage.Memory.Value()
		}
	}
	return bytes
}
