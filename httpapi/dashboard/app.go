package dashboard

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/apps"
	"github.com/nodejitsu/webhooks/core/redact"
)

const (
	appEntries = 10  // deployments on the page of an app
	appHistory = 100 // entries that are read for it
	logLines   = 500 // on the page with its log
)

// appPage is what the page of an app shows.
type appPage struct {
	apps.App
	Done      string // what was done before; "" if nothing
	Variables []variable
	Latest    []core.Entry
	Versions  []version
	Badge     string // Markdown; "" if no repository is known
}

// version is a snapshot with the entry that made it.
type version struct {
	apps.Snapshot
	Entry *core.Entry // nil if it is unknown
}

// versions returns snapshots with their entries. What a rollback or a restart runs was
// made by an older entry.
func versions(all []apps.Snapshot, entries []core.Entry) []version {
	found := make([]version, 0, len(all))
	for _, s := range all {
		v := version{Snapshot: s}
		for i, e := range entries {
			if e.Snapshot == s.ID && e.Commit.ID != "" {
				v.Entry = &entries[i]
			}
		}
		found = append(found, v)
	}
	return found
}

// variable is a variable of the environment. The value of a secret is not shown.
type variable struct {
	Name, Value string
	Secret      bool
}

// done are the sentences about what was done, by the parameter of the page that
// shows them.
func done(what string) string {
	switch what {
	case "restart":
		return "The app was restarted."
	case "stop":
		return "The app was stopped."
	case "rollback":
		return "The app runs the snapshot that you chose."
	case "environment":
		return "The environment was changed. The change takes effect when the app is restarted."
	case "domains":
		return "The domains were changed."
	}
	return ""
}

// app shows an app with what can be done with it.
func (d *Dashboard) app(w http.ResponseWriter, r *http.Request) error {
	user, name := visitOf(r).user, r.PathValue("app")
	a, err := d.o.Apps.Get(r.Context(), user, name)
	if err != nil {
		return err
	}
	entries, _, err := d.o.Status.List(r.Context(), user, name, 0, appHistory)
	if err != nil && core.CodeOf(err) != core.CodeStatusNotFound {
		return err
	}
	p := appPage{App: a, Done: done(r.URL.Query().Get("done")), Variables: variables(a.Env), Latest: entries[:min(appEntries, len(entries))], Versions: versions(a.Snapshots, entries)}
	for _, e := range entries {
		if e.Repository.Name != "" {
			p.Badge = badge(d.base(r), user, e.Repository.Name)
			break
		}
	}
	return d.render(w, r, http.StatusOK, "app", name, p)
}

// badge returns a badge with a link, for a README.
func badge(base, user, repository string) string {
	image := base + "/" + url.PathEscape(user) + "/" + url.PathEscape(repository) + ".svg"
	return "[![deployment](" + image + ")](" + base + "/)"
}

// variables returns an environment by name, without the values of secrets.
func variables(env map[string]string) []variable {
	all := make([]variable, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		v := variable{Name: name, Value: env[name]}
		if redact.Variable(name, v.Value) {
			v.Value, v.Secret = "", true
		}
		all = append(all, v)
	}
	return all
}

// logPage is what the page with an app's log shows.
type logPage struct {
	App   string
	Lines []apps.Line
}

// appLog shows the end of an app's log.
func (d *Dashboard) appLog(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("app")
	lines, err := d.o.Apps.Logs(r.Context(), visitOf(r).user, name, logLines)
	if err != nil {
		return err
	}
	return d.render(w, r, http.StatusOK, "log", "Log of "+name, logPage{name, lines})
}

// changeApp changes an app as the form asks, and shows the app.
func (d *Dashboard) changeApp(w http.ResponseWriter, r *http.Request) error {
	ctx, user, name, action := r.Context(), visitOf(r).user, r.PathValue("app"), r.PathValue("action")
	value := func(field string) string { return r.PostFormValue(field) }
	back := "/-/apps/" + url.PathEscape(name)
	if question, button := doubt(name, action, value("remove")); question != "" {
		if sure, err := d.confirmed(w, r, question, button, back); err != nil || !sure {
			return err
		}
	}
	var err error
	switch action {
	case "restart":
		err = d.o.Apps.Restart(ctx, user, name)
	case "stop":
		err = d.o.Apps.Stop(ctx, user, name)
	case "rollback":
		err = d.o.Apps.Rollback(ctx, user, name, value("snapshot"))
	case "environment":
		if value("remove") != "" {
			err = d.o.Apps.RemoveVariable(ctx, user, name, value("remove"))
		} else {
			err = d.o.Apps.SetVariable(ctx, user, name, strings.TrimSpace(value("name")), value("value"))
		}
	case "domains":
		if value("remove") != "" {
			err = d.o.Apps.RemoveDomain(ctx, user, name, value("remove"))
		} else {
			err = d.o.Apps.AddDomain(ctx, user, name, value("domain"))
		}
	default:
		err = errNotFound()
	}
	if err != nil {
		return err
	}
	d.log(w, r, action, "app", name)
	return redirect(w, r, back+"?done="+action)
}

// doubt returns what to ask before an app is changed, and the words of the button;
// "" if nothing is asked.
func doubt(app, action, removed string) (question, button string) {
	switch {
	case action == "stop":
		return fmt.Sprintf("Stop %s? Its visitors get an error until it is started again.", app), "Stop the app"
	case action == "environment" && removed != "":
		return fmt.Sprintf("Remove the variable %s of %s? Its value is not kept.", removed, app), "Remove the variable"
	case action == "domains" && removed != "":
		return fmt.Sprintf("Remove the domain %s of %s?", removed, app), "Remove the domain"
	}
	return "", ""
}
