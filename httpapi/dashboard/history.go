package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/nodejitsu/webhooks/core"
)

const (
	pageSize  = 50   // entries on a page of the history
	scanBatch = 100  // entries read at a time
	scanLimit = 2000 // entries read for a page, if few of them match
)

// historyPage is what a page of the history shows.
type historyPage struct {
	App      string // the filters
	Status   core.Status
	Statuses []core.Status
	Apps     []string // names to choose from
	Entries  []core.Entry
	Newer    string // URLs of the pages before and after; "" if there are none
	Older    string
}

// history shows all entries, also those that were ignored, with filters.
func (d *Dashboard) history(w http.ResponseWriter, r *http.Request) error {
	user, query := visitOf(r).user, r.URL.Query()
	p := historyPage{App: query.Get("app"), Status: core.Status(query.Get("status")), Statuses: core.Statuses}
	if !p.Status.Valid() {
		p.Status = ""
	}
	skip, _ := strconv.Atoi(query.Get("skip")) // 0 if it is not a number
	skip = max(skip, 0)
	var end int
	var more bool
	var err error
	if p.Entries, end, more, err = d.find(r.Context(), user, p.App, p.Status, skip); err != nil {
		return err
	}
	if skip > 0 {
		p.Newer = p.url(0)
	}
	if more {
		p.Older = p.url(end)
	}
	if all, err := d.o.Apps.List(r.Context(), user); err == nil {
		for _, a := range all {
			p.Apps = append(p.Apps, a.Name)
		}
	}
	return d.render(w, r, http.StatusOK, "history", "History", p)
}

// url returns the URL of the page after skip entries.
func (p historyPage) url(skip int) string {
	query := url.Values{}
	if p.App != "" {
		query.Set("app", p.App)
	}
	if p.Status != "" {
		query.Set("status", string(p.Status))
	}
	if skip > 0 {
		query.Set("skip", strconv.Itoa(skip))
	}
	if len(query) == 0 {
		return "/-/history"
	}
	return "/-/history?" + query.Encode()
}

// find returns a page of the entries that match, after skip entries; how many
// entries come up to its end; and whether there are more.
func (d *Dashboard) find(ctx context.Context, user, app string, status core.Status, skip int) (found []core.Entry, end int, more bool, err error) {
	for end = skip; end-skip < scanLimit; {
		batch, total, err := d.o.Status.List(ctx, user, app, end, scanBatch)
		if core.CodeOf(err) == core.CodeStatusNotFound {
			return nil, end, false, nil // the app has no entries
		}
		if err != nil {
			return nil, 0, false, err
		}
		for _, e := range batch {
			if len(found) == pageSize {
				return found, end, true, nil
			}
			end++
			if status == "" || e.Status == status {
				found = append(found, e)
			}
		}
		if len(batch) == 0 || end >= total {
			return found, end, false, nil
		}
	}
	return found, end, true, nil
}

// held shows the entries that wait.
func (d *Dashboard) held(w http.ResponseWriter, r *http.Request) error {
	found, _, _, err := d.find(r.Context(), visitOf(r).user, "", core.StatusHeld, 0)
	if err != nil {
		return err
	}
	return d.render(w, r, http.StatusOK, "held", "Held", found)
}
