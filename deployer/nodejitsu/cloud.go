package nodejitsu

import (
	"context"
	"net/http"
)

// Cloud is a datacenter of an app with the number of its drones and their limits.
type Cloud struct {
	Provider   string `json:"provider"`
	Datacenter string `json:"datacenter"`
	Drones     int    `json:"drones"`
	RAM        int    `json:"ram"` // MiB for each drone

	// Only the embedded platform has these.
	CPUs      *float64 `json:"cpus,omitempty"`      // processors of each drone; nil: no limit, or unchanged; 0: no limit
	Processes int      `json:"processes,omitempty"` // processes and threads of each drone; 0: the default, or unchanged
}

// Endpoints returns the datacenters: provider to datacenter to a host or URL.
func (c *Client) Endpoints(ctx context.Context) (map[string]map[string]string, error) {
	var answer struct {
		Endpoints map[string]map[string]string `json:"endpoints"`
	}
	err := c.call(ctx, request{doing: "list endpoints", method: http.MethodGet, path: []string{"endpoints"}}, &answer)
	return answer.Endpoints, err
}

// Cloud returns the datacenters of an app.
func (c *Client) Cloud(ctx context.Context, user, app string) ([]Cloud, error) {
	var answer []Cloud
	err := c.call(ctx, request{doing: "read cloud", method: http.MethodGet, path: appPath(user, app, "cloud")}, &answer)
	return answer, err
}

// SetCloud sets an app's datacenters and numbers of drones. If cloud names a
// datacenter, the active snapshot is started there unless it runs.
func (c *Client) SetCloud(ctx context.Context, user, app string, cloud []Cloud) error {
	return c.call(ctx, request{doing: "set cloud", method: http.MethodPost, path: appPath(user, app, "cloud"), body: cloud}, nil)
}
