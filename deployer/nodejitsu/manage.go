package nodejitsu

import (
	"context"
	"slices"

	"github.com/nodejitsu/webhooks/core/apps"
)

var _ apps.Platform = (*Platform)(nil)

// Apps implements apps.Platform.
func (p *Platform) Apps(ctx context.Context, user string) ([]apps.App, error) {
	found, err := p.client.Apps(ctx, user)
	if err != nil {
		return nil, err
	}
	all := make([]apps.App, 0, len(found))
	for _, a := range found {
		all = append(all, managed(a, a.Snapshots))
	}
	return all, nil
}

// App implements apps.Platform.
func (p *Platform) App(ctx context.Context, user, app string) (apps.App, error) {
	found, err := p.client.App(ctx, user, app)
	if err != nil {
		return apps.App{}, err
	}
	snapshots, err := p.client.Snapshots(ctx, user, app) // not every platform returns them with the app
	return managed(found, snapshots), err
}

// managed returns an app in the form of the use case.
func managed(a App, snapshots []Snapshot) apps.App {
	m := apps.App{
		Name: a.Name, URL: a.URL, State: a.State, Reason: a.Reason, Drones: a.Drones, Domains: a.Domains, Env: a.Env,
		ChangedAt: a.MTime.Time, Memory: a.Memory,
	}
	if m.URL == "" && len(a.Domains) > 0 {
		m.URL = "http://" + a.Domains[0]
	}
	running := ""
	if a.Running != nil {
		running = a.Running.ID
	}
	for _, s := range snapshots {
		m.Snapshots = append(m.Snapshots, apps.Snapshot{
			ID: s.ID, CreatedAt: s.CTime.Time, Active: s.Active, Running: s.Running || s.ID == running,
		})
	}
	slices.SortStableFunc(m.Snapshots, func(x, y apps.Snapshot) int { return y.CreatedAt.Compare(x.CreatedAt) })
	return m
}

// Logs implements apps.Platform.
func (p *Platform) Logs(ctx context.Context, user, app string, n int) ([]apps.Line, error) {
	found, err := p.client.Logs(ctx, user, app, n)
	if err != nil {
		return nil, err
	}
	lines := make([]apps.Line, 0, len(found))
	for _, l := range slices.Backward(found) {
		lines = append(lines, apps.Line{Time: l.Time, Drone: l.Drone, Stderr: l.Stderr, Text: l.Text})
	}
	return lines, nil
}

// Restart implements apps.Platform.
func (p *Platform) Restart(ctx context.Context, user, app string) error {
	return p.client.RestartApp(ctx, user, app)
}

// Stop implements apps.Platform.
func (p *Platform) Stop(ctx context.Context, user, app string) error {
	return p.client.StopApp(ctx, user, app)
}

// Rollback implements apps.Platform.
func (p *Platform) Rollback(ctx context.Context, user, app, snapshot string) error {
	_, err := p.client.Rollback(ctx, user, app, snapshot)
	return err
}

// Run implements apps.Platform.
func (p *Platform) Run(ctx context.Context, user, app string) error {
	_, err := p.client.StartApp(ctx, user, app)
	return err
}

// SetEnv implements apps.Platform.
func (p *Platform) SetEnv(ctx context.Context, user, app string, env map[string]string) error {
	return p.client.UpdateApp(ctx, user, app, map[string]any{"env": env})
}

// SetDomains implements apps.Platform.
func (p *Platform) SetDomains(ctx context.Context, user, app string, domains []string) error {
	if domains == nil {
		domains = []string{}
	}
	return p.client.UpdateApp(ctx, user, app, map[string]any{"domains": domains})
}
