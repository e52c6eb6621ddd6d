package datacenters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform/problem"
)

// Share is what a branch keeps and runs of an app.
type Share struct {
	User, App string
	Fields    map[string]json.RawMessage // those of package.json that the API takes, with env
	Drones    int
	RAM       int // MiB
}

// Keep has a branch keep a copy of an app as it is now. Where it runs there,
// it returns when so many drones answer. It fails, as the other calls do, with
// a [problem.Error]; with [problem.Busy] where the branch can't be reached.
func (d *Datacenters) Keep(ctx context.Context, datacenter string, s Share) error {
	branch, err := d.branch(datacenter)
	if err != nil {
		return err
	}
	err = branch.UpdateApp(ctx, s.User, s.App, s.Fields)
	if errors.Is(err, core.ErrNotFound) {
		err = branch.CreateApp(ctx, s.User, s.App, s.Fields)
	}
	if err == nil {
		err = branch.SetCloud(ctx, s.User, s.App, []nodejitsu.Cloud{{Drones: s.Drones, RAM: s.RAM}})
	}
	return told(ctx, datacenter, err)
}

// Send has a branch build a snapshot where it has not. What the build prints
// is written to out.
func (d *Datacenters) Send(ctx context.Context, datacenter, user, app, id string, open func() (io.ReadCloser, error), out io.Writer) error {
	branch, err := d.branch(datacenter)
	if err != nil {
		return err
	}
	known, err := branch.Snapshots(ctx, user, app)
	if err != nil {
		return told(ctx, datacenter, err)
	}
	if slices.ContainsFunc(known, func(s nodejitsu.Snapshot) bool { return s.ID == id }) {
		return nil
	}
	archive, err := open()
	if err != nil {
		return err
	}
	defer archive.Close() //nolint:errcheck // only read
	return told(ctx, datacenter, branch.UploadSnapshot(ctx, user, app, id, archive, out))
}

// Start has a branch run a snapshot that it was sent, in the place of what
// runs; it returns when that answers.
func (d *Datacenters) Start(ctx context.Context, datacenter, user, app, id string) error {
	branch, err := d.branch(datacenter)
	if err != nil {
		return err
	}
	if err = branch.ActivateSnapshot(ctx, user, app, id); err == nil {
		_, err = branch.StartApp(ctx, user, app)
	}
	return told(ctx, datacenter, err)
}

// Stop ends the drones of an app in a branch.
func (d *Datacenters) Stop(ctx context.Context, datacenter, user, app string) error {
	return d.without(ctx, datacenter, func(c *nodejitsu.Client) error { return c.StopApp(ctx, user, app) })
}

// Destroy has a branch forget an app, and all of it.
func (d *Datacenters) Destroy(ctx context.Context, datacenter, user, app string) error {
	return d.without(ctx, datacenter, func(c *nodejitsu.Client) error { return c.DestroyApp(ctx, user, app) })
}

// DestroySnapshot removes a snapshot in a branch. It refuses with
// [problem.Conflict] where that runs.
func (d *Datacenters) DestroySnapshot(ctx context.Context, datacenter, user, app, id string) error {
	return d.without(ctx, datacenter, func(c *nodejitsu.Client) error { return c.DestroySnapshot(ctx, user, app, id) })
}

// without removes something; that there is none is as good.
func (d *Datacenters) without(ctx context.Context, datacenter string, remove func(*nodejitsu.Client) error) error {
	branch, err := d.branch(datacenter)
	if err != nil {
		return err
	}
	if err = remove(branch); errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return told(ctx, datacenter, err)
}

// Apps returns how the apps of a user stand in a branch.
func (d *Datacenters) Apps(ctx context.Context, datacenter, user string) ([]nodejitsu.App, error) {
	branch, err := d.branch(datacenter)
	if err != nil {
		return nil, err
	}
	apps, err := branch.Apps(ctx, user)
	return apps, told(ctx, datacenter, err)
}

// Logs returns the last rows lines of an app in a branch, the newest first; a
// zero time is no bound.
func (d *Datacenters) Logs(ctx context.Context, datacenter, user, app string, from, until time.Time, rows int) ([]nodejitsu.LogLine, error) {
	branch, err := d.branch(datacenter)
	if err != nil {
		return nil, err
	}
	lines, err := branch.LogsBetween(ctx, user, app, from, until, rows)
	return lines, told(ctx, datacenter, err)
}

// told makes a refusal of ours of what a branch said, which names the branch.
func told(ctx context.Context, datacenter string, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, passes := core.Retryable(err); passes {
		return fmt.Errorf("datacenters: %w: %w", problem.New(problem.Busy, "unreachable",
			"The datacenter %s can't be reached; try again in a moment", datacenter), err)
	}
	said, ok := errors.AsType[*nodejitsu.Error](err)
	if !ok {
		return fmt.Errorf("datacenters: in %s: %w", datacenter, err)
	}
	kind := problem.Failed
	switch said.Status {
	case http.StatusBadRequest:
		kind = problem.Invalid
	case http.StatusNotFound:
		kind = problem.NotFound
	case http.StatusConflict:
		kind = problem.Conflict
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("datacenters: %s does not take our key: do both have the same one? %w", datacenter, err)
	}
	return problem.New(kind, said.Name, "In the datacenter %s: %s", datacenter, said.Message)
}
