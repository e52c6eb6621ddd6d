package nodejitsu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// App is an application's document. Fields that package.json defines, such as
// engines, are not decoded.
type App struct {
	ID        string          `json:"_id"` // user/name
	Name      string          `json:"name"`
	User      string          `json:"user"`
	Subdomain string          `json:"subdomain"`
	Domains   []string        `json:"domains"`
	Version   string          `json:"version"`
	State     string          `json:"state"`  // "started" or "stopped"; the embedded platform also has "crashed"
	Reason    string          `json:"reason"` // of the last crash; only the embedded platform sends it
	Drones    int             `json:"drones"`
	MaxDrones int             `json:"maxDrones"`
	Env       Env             `json:"env"`
	Engines   json.RawMessage `json:"engines"`
	Scripts   json.RawMessage `json:"scripts"`
	Config    AppConfig       `json:"config"`
	Snapshots []Snapshot      `json:"snapshots"`
	Active    *Snapshot       `json:"active"`
	Running   *Snapshot       `json:"running"`
	Crashed   *Crash          `json:"crashed,omitempty"` // the last time that it was given up; only the embedded platform sends it
	CTime     Time            `json:"ctime"`
	MTime     Time            `json:"mtime"`
	URL       string          `json:"url"`                     // of the app; only the embedded platform sends it
	Memory    int64           `json:"memory_used,omitempty"`   // bytes that its drones use; only the embedded platform sends it, with one app
	Source    string          `json:"deployed_from,omitempty"` // repository, branch and folder; only the embedded platform sends it

	packageEnv []string // see fieldPackageEnv
}

// UnmarshalJSON reads the platform's fields by their exact names: the document
// also has all others of the app's package.json, which may differ only in case.
// If package.json has another type than the API in a field that both have, that
// field is left zero.
func (a *App) UnmarshalJSON(text []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	*a = App{
		Version: loosely[string](fields["version"]), Subdomain: loosely[string](fields["subdomain"]),
		Domains: loosely[[]string](fields["domains"]), Config: loosely[AppConfig](fields["config"]),
		Engines: fields["engines"], Scripts: fields["scripts"], Crashed: loosely[*Crash](fields["crashed"]),
		Memory: loosely[int64](fields["memory_used"]), packageEnv: loosely[[]string](fields[fieldPackageEnv]),
	}
	for name, into := range map[string]any{
		"_id": &a.ID, "name": &a.Name, "user": &a.User, "state": &a.State, "reason": &a.Reason,
		"drones": &a.Drones, "maxDrones": &a.MaxDrones, "env": &a.Env, "snapshots": &a.Snapshots,
		"active": &a.Active, "running": &a.Running, "ctime": &a.CTime, "mtime": &a.MTime, "url": &a.URL, "deployed_from": &a.Source,
	} {
		if field, ok := fields[name]; ok {
			if err := json.Unmarshal(field, into); err != nil {
				return fmt.Errorf("the field %s of an app: %w", name, err)
			}
		}
	}
	return nil
}

// loosely decodes a field of any type; it returns zero if it is not a T.
func loosely[T any](field json.RawMessage) T {
	var read, zero T
	if json.Unmarshal(field, &read) != nil {
		return zero
	}
	return read
}

// Crash describes drones of an app that crashed too often and were given up. If
// another snapshot runs now, the app was rolled back to it.
type Crash struct {
	Snapshot string `json:"snapshot"` // of the drones
	Drones   int    `json:"drones"`   // how many were given up
	Reason   string `json:"reason"`
	Time     Time   `json:"time"`
}

// AppConfig is the configuration of an app.
type AppConfig struct {
	Cloud []Cloud `json:"cloud"`
}

// Env is an app's environment. Numbers and booleans read as their text.
type Env map[string]string

// UnmarshalJSON reads an object of scalars and ignores other values.
func (e *Env) UnmarshalJSON(text []byte) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		*e = nil
		return nil
	}
	*e = make(Env, len(fields))
	for name, field := range fields {
		var word string
		switch {
		case json.Unmarshal(field, &word) == nil && string(field) != "null":
			(*e)[name] = word
		case len(field) > 0 && field[0] != '{' && field[0] != '[' && string(field) != "null":
			(*e)[name] = string(field)
		}
	}
	return nil
}

type appAnswer struct {
	App App `json:"app"`
}

func appPath(user, app string, more ...string) []string {
	return append([]string{"apps", user, app}, more...)
}

// Apps returns a user's apps.
func (c *Client) Apps(ctx context.Context, user string) ([]App, error) {
	var answer struct {
		Apps []App `json:"apps"`
	}
	err := c.call(ctx, request{doing: "list apps", method: http.MethodGet, path: []string{"apps", user}}, &answer)
	return answer.Apps, err
}

// App returns an app. It fails with core.ErrNotFound.
func (c *Client) App(ctx context.Context, user, app string) (App, error) {
	var answer appAnswer
	err := c.call(ctx, request{doing: "read app", method: http.MethodGet, path: appPath(user, app)}, &answer)
	return answer.App, err
}

// CreateApp creates an app from the fields of a package.json, a value that encodes
// to a JSON object.
func (c *Client) CreateApp(ctx context.Context, user, app string, fields any) error {
	return c.call(ctx, request{doing: "create app", method: http.MethodPost, path: appPath(user, app), body: fields}, nil)
}

// UpdateApp changes the given fields and leaves the others unchanged; env is
// replaced as a whole.
func (c *Client) UpdateApp(ctx context.Context, user, app string, fields any) error {
	return c.call(ctx, request{doing: "update app", method: http.MethodPut, path: appPath(user, app), body: fields}, nil)
}

// SetSource sets what an app is deployed from: repository, branch and, after a colon,
// folder, such as "github.com/octo/hello@main"; "" lets the next delivery set it. Only
// the embedded platform supports it.
func (c *Client) SetSource(ctx context.Context, user, app, source string) error {
	body := map[string]string{"source": source}
	return c.call(ctx, request{doing: "set source of app", method: http.MethodPost, path: appPath(user, app, "source"), body: body}, nil)
}

// DestroyApp stops an app and removes it with its snapshots and its log.
func (c *Client) DestroyApp(ctx context.Context, user, app string) error {
	return c.call(ctx, request{doing: "destroy app", method: http.MethodDelete, path: appPath(user, app)}, nil)
}

// StartApp starts the active snapshot, replaces one that runs, and returns when it
// answers. It returns the App of the platform's response; the URL is "" if the
// response has none.
func (c *Client) StartApp(ctx context.Context, user, app string) (App, error) {
	return c.command(ctx, user, app, "start")
}

// StartSnapshot starts a snapshot with the address and the environment of its
// package.json, replaces one that runs, and returns when it has served for a
// while. If it fails, the app is unchanged. Only the embedded platform supports it.
func (c *Client) StartSnapshot(ctx context.Context, user, app, id string) (App, error) {
	var answer appAnswer
	body := map[string]string{"snapshot": id}
	err := c.call(ctx, request{doing: "start app", method: http.MethodPost, path: appPath(user, app, "start"), body: body}, &answer)
	return answer.App, err
}

// Rollback starts a snapshot in place of what runs, and returns when it answers. If it
// fails, the app is unchanged.
func (c *Client) Rollback(ctx context.Context, user, app, id string) (App, error) {
	if !c.embedded.Load() { // or no call has been made yet
		before, err := c.App(ctx, user, app)
		if err != nil {
			return App{}, err
		}
		if !c.embedded.Load() {
			return c.activateAndStart(ctx, before, user, app, id)
		}
	}
	return c.StartSnapshot(ctx, user, app, id)
}

// activateAndStart starts a snapshot on a platform that starts only the active one. If
// it does not start, the one that was active before is active again, as the next start
// runs it.
func (c *Client) activateAndStart(ctx context.Context, before App, user, app, id string) (App, error) {
	if err := c.ActivateSnapshot(ctx, user, app, id); err != nil {
		return App{}, err
	}
	started, err := c.StartApp(ctx, user, app)
	if err != nil && before.Active != nil && before.Active.ID != id {
		err = errors.Join(err, c.ActivateSnapshot(context.WithoutCancel(ctx), user, app, before.Active.ID))
	}
	return started, err
}

// StopApp stops an app.
func (c *Client) StopApp(ctx context.Context, user, app string) error {
	_, err := c.command(ctx, user, app, "stop")
	return err
}

// RestartApp restarts what runs, without losing a request.
func (c *Client) RestartApp(ctx context.Context, user, app string) error {
	_, err := c.command(ctx, user, app, "restart")
	return err
}

func (c *Client) command(ctx context.Context, user, app, command string) (App, error) {
	var answer appAnswer
	err := c.call(ctx, request{doing: command + " app", method: http.MethodPost, path: appPath(user, app, command)}, &answer)
	return answer.App, err
}
