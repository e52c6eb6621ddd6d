package nodejitsu

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Cloud is an app's share of a datacenter.
type Cloud struct {
	Provider   string `json:"provider"`
	Datacenter string `json:"datacenter"`
	Drones     int    `json:"drones"`
	RAM        int    `json:"ram"` // MiB for each drone
}

// Endpoints returns the datacenters: provider to datacenter to a host or URL.
func (c *Client) Endpoints(ctx context.Context) (map[string]map[string]string, error) {
	var answer struct {
		Endpoints map[string]map[string]string `json:"endpoints"`
	}
	err := c.call(ctx, request{doing: "list endpoints", method: http.MethodGet, path: []string{"endpoints"}}, &answer)
	return answer.Endpoints, err
}

// Cloud returns where an app runs.
func (c *Client) Cloud(ctx context.Context, user, app string) ([]Cloud, error) {
	var answer []Cloud
	err := c.call(ctx, request{doing: "read cloud", method: http.MethodGet, path: appPath(user, app, "cloud")}, &answer)
	return answer, err
}

// SetCloud says where an app runs and with how many drones: in the datacenters
// that cloud names, where the active snapshot is started unless it runs, or,
// where it names none, in those where it is. It is sent to each of them, as the
// published client does.
func (c *Client) SetCloud(ctx context.Context, user, app string, cloud []Cloud) error {
	to := cloud
	if len(cloud) > 0 && cloud[0].Datacenter == "" {
		to = nil
	}
	r := request{doing: "set cloud", method: http.MethodPost, path: appPath(user, app, "cloud"), body: cloud}
	return c.everywhere(ctx, user, app, to, r, nil)
}

// everywhere sends r to each datacenter of cloud, by default to each that the
// app is in, as the published client does; to the endpoint itself where the
// platform has none.
func (c *Client) everywhere(ctx context.Context, user, app string, cloud []Cloud, r request, answer any) error {
	if c.o.Datacenter != "" {
		return c.call(ctx, r, answer)
	}
	endpoints, err := c.Endpoints(ctx)
	if errors.Is(err, core.ErrNotFound) || err == nil && len(endpoints) == 0 {
		return c.call(ctx, r, answer)
	}
	if err != nil {
		return err
	}
	if len(cloud) == 0 {
		if cloud, err = c.Cloud(ctx, user, app); err != nil {
			return err
		}
	}
	if len(cloud) == 0 {
		return c.call(ctx, r, answer)
	}
	for _, one := range cloud {
		address := endpoints[one.Provider][one.Datacenter]
		if address == "" {
			return fmt.Errorf("nodejitsu: %s: the platform has no datacenter %s %s", r.doing, one.Provider, one.Datacenter)
		}
		if !strings.Contains(address, "://") {
			address = "https://" + address
		}
		// Only over TLS, unless the endpoint itself is not: the credentials
		// must not travel less safely than the operator chose.
		if secure(c.o.Endpoint()) && !secure(address) {
			return fmt.Errorf("nodejitsu: %s: the datacenter %s %s has no https URL", r.doing, one.Provider, one.Datacenter)
		}
		r.base = address
		if err := c.call(ctx, r, answer); err != nil {
			return err
		}
	}
	return nil
}

func secure(address string) bool {
	scheme, _, _ := strings.Cut(address, "://")
	return strings.EqualFold(scheme, "https")
}

// Ask reads what only platforms of ours tell, at a path of one part, into
// answer.
func (c *Client) Ask(ctx context.Context, path string, answer any) error {
	return c.call(ctx, request{doing: "ask " + path, method: http.MethodGet, path: []string{path}}, answer)
}
