package dashboard

import (
	"context"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/apps"
)

const (
	latest = 15  // deployments on the first page
	recent = 100 // entries that are read for it
)

// homePage is what the first page shows.
type homePage struct {
	Apps    []appCard
	AppsErr string // why the apps are not shown; "" if they are
	Latest  []core.Entry
	Chart   chart

	Warnings []string // what an operator should look at
}

// appCard is an app with the entry that deployed what runs.
type appCard struct {
	apps.App
	Entry *core.Entry // nil if it is unknown
	Last  *core.Entry // the newest entry of the app, if it is another one that did not succeed
}

// home shows what runs, and the latest deployments.
func (d *Dashboard) home(w http.ResponseWriter, r *http.Request) error {
	user := visitOf(r).user
	entries, _, err := d.o.Status.List(r.Context(), user, "", 0, recent)
	if err != nil {
		return err
	}
	p := homePage{Latest: deployments(entries, latest), Chart: newChart(entries)}
	if d.o.Warnings != nil {
		p.Warnings = d.o.Warnings()
	}
	// Without the platform the deployments can still be read.
	all, err := d.o.Apps.List(r.Context(), user)
	if err != nil {
		p.AppsErr = sentence(core.AsError(err).Reason)
	}
	for _, a := range all {
		p.Apps = append(p.Apps, d.card(r.Context(), user, a, entries))
	}
	return d.render(w, r, http.StatusOK, "home", "Apps", p)
}

// card returns an app with what is known of its deployments: from the newest
// entries of the user, or else from those of the app.
func (d *Dashboard) card(ctx context.Context, user string, a apps.App, entries []core.Entry) appCard {
	c := appCard{App: a}
	c.match(entries)
	if c.Entry != nil || a.Running() == "" {
		return c
	}
	if own, _, err := d.o.Status.List(ctx, user, a.Name, 0, latest); err == nil {
		c.match(own)
	}
	return c
}

// Unexplained reports whether something runs that no known entry has deployed. The app
// runs already when its deployment ends.
func (c *appCard) Unexplained() bool {
	return c.Running() != "" && c.Entry == nil && (c.Last == nil || c.Last.Status != core.StatusPending)
}

// match looks for the entry that deployed what runs, and for a newer one.
func (c *appCard) match(entries []core.Entry) {
	running := c.Running()
	for i, e := range entries {
		if e.App != c.Name || !deploys(e) {
			continue
		}
		if running != "" && e.Snapshot == running && e.Status == core.StatusOK {
			c.Entry = &entries[i]
			return
		}
		if c.Last == nil && e.Status != core.StatusOK {
			c.Last = &entries[i]
		}
	}
}

// deployments returns the first n entries that deploy something.
func deployments(entries []core.Entry, n int) []core.Entry {
	var found []core.Entry
	for _, e := range entries {
		if deploys(e) && len(found) < n {
			found = append(found, e)
		}
	}
	return found
}
