package nodejitsu

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Platform implements the ports of the use cases with a [Client]. The Client must
// call as [core.ServiceUser], or as a user, and then has access only to that user.
type Platform struct {
	client   *Client
	secret   []byte // HMAC key of the credentials in the cache
	accounts recent[[sha256.Size]byte, core.Account]
	tokens   recent[string, []core.ThirdPartyToken]
}

var (
	_ deploy.Platform = (*Platform)(nil)
	_ deploy.Accounts = (*Platform)(nil)
	_ auth.Accounts   = (*Platform)(nil)
)

// NewPlatform returns a Platform.
func NewPlatform(c *Client) *Platform {
	return &Platform{client: c, secret: []byte(rand.Text())}
}

// FindApp implements deploy.Platform.
func (p *Platform) FindApp(ctx context.Context, user, app string) (deploy.App, error) {
	found, err := p.client.App(ctx, user, app)
	if err != nil {
		return deploy.App{}, err
	}
	known := deploy.App{Source: found.Source, URL: found.URL}
	if found.Running != nil && found.State == "started" {
		known.Running = found.Running.ID
	}
	// Not every platform returns the snapshots with the app.
	if len(found.Snapshots) == 0 {
		if found.Snapshots, err = p.client.Snapshots(ctx, user, app); err != nil {
			return deploy.App{}, err
		}
	}
	for _, s := range found.Snapshots {
		known.Snapshots = append(known.Snapshots, s.ID)
	}
	return known, nil
}

// SetSource implements deploy.Platform. Only the embedded platform keeps it.
func (p *Platform) SetSource(ctx context.Context, user, app, source string) error {
	if !p.client.embedded.Load() {
		return nil
	}
	return p.client.SetSource(ctx, user, app, source)
}

// Create implements deploy.Platform.
func (p *Platform) Create(ctx context.Context, user string, pkg deploy.Package) error {
	_, err := p.client.App(ctx, user, pkg.Name)
	if !errors.Is(err, core.ErrNotFound) {
		return err
	}
	err = p.client.call(ctx, request{
		doing: "create app", method: http.MethodPost, path: appPath(user, pkg.Name), body: json.RawMessage(pkg.Fields), deploys: true,
	}, nil)
	if refused, ok := errors.AsType[*Error](err); ok && refused.Status == http.StatusConflict {
		// Another call created it first, unless the subdomain is taken.
		if _, again := p.client.App(ctx, user, pkg.Name); !errors.Is(again, core.ErrNotFound) {
			return again
		}
	}
	return err
}

// Upload implements deploy.Platform.
func (p *Platform) Upload(ctx context.Context, user string, pkg deploy.Package, snapshot string, body io.Reader, out io.Writer) error {
	known, err := p.client.Snapshots(ctx, user, pkg.Name)
	if err != nil {
		return err
	}
	for _, s := range known {
		if s.ID == snapshot {
			return nil
		}
	}
	return p.client.UploadSnapshot(ctx, user, pkg.Name, snapshot, pkg.Root, body, out)
}

// Start implements deploy.Platform. The embedded platform starts a snapshot in one
// step, with the package.json in the snapshot. On others the env of package.json is
// merged over the app's, so that variables that were set on the platform are kept,
// and those that only an earlier package.json has set are removed.
func (p *Platform) Start(ctx context.Context, user string, pkg deploy.Package, snapshot string, order deploy.Order) (string, error) {
	client := p.client.ordered(order)
	if !client.embedded.Load() { // or no call has been made yet
		before, err := client.App(ctx, user, pkg.Name)
		if err != nil {
			return "", err
		}
		if !client.embedded.Load() {
			return startInSteps(ctx, client, before, user, pkg, snapshot)
		}
	}
	started, err := client.StartSnapshot(ctx, user, pkg.Name, snapshot)
	return started.URL, err
}

// startInSteps starts a snapshot on a platform that starts only the active one.
func startInSteps(ctx context.Context, client *Client, before App, user string, pkg deploy.Package, snapshot string) (string, error) {
	fields, err := overlaid(pkg.Fields, before)
	if err != nil {
		return "", err
	}
	if err := client.UpdateApp(ctx, user, pkg.Name, fields); err != nil {
		return "", err
	}
	started, err := client.activateAndStart(ctx, before, user, pkg.Name, snapshot)
	if err != nil {
		return "", err
	}
	if started.URL == "" {
		if started, err = client.App(ctx, user, pkg.Name); err != nil {
			return "", err
		}
	}
	if started.URL == "" && len(started.Domains) > 0 {
		return "http://" + started.Domains[0], nil
	}
	return started.URL, nil
}

// fieldPackageEnv is a field of an app's document on other platforms, which keep it
// as they keep all fields of a package.json: the names of the variables that the
// last deployed package.json has set.
const fieldPackageEnv = "packageEnv"

// overlaid returns the fields of a package.json with its env merged over that of
// the app before it, without what the package.json before has set. An invalid env
// is left to the platform, which refuses it.
func overlaid(packageJSON []byte, before App) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(packageJSON, &fields); err != nil || fields == nil {
		return nil, errors.New("nodejitsu: update app: package.json is not a JSON object")
	}
	var own map[string]json.RawMessage
	text, ok := fields["env"]
	if ok && json.Unmarshal(text, &own) != nil || !ok && len(before.packageEnv) == 0 {
		return fields, nil
	}
	maps.DeleteFunc(own, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	all := make(map[string]any, len(before.Env)+len(own))
	for name, value := range before.Env {
		if !slices.Contains(before.packageEnv, name) {
			all[name] = value
		}
	}
	for name, value := range own {
		all[name] = value
	}
	set := map[string]any{"env": all}
	if len(own)+len(before.packageEnv) > 0 {
		set[fieldPackageEnv] = append([]string{}, slices.Sorted(maps.Keys(own))...)
	}
	for name, value := range set {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("nodejitsu: update app: %w", err)
		}
		fields[name] = text
	}
	return fields, nil
}
