package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// in makes a call of me with that order, which must get that status and, if it is
// refused, that error name.
func (b *fixture) in(order string, status int, name, call, body string) {
	b.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	username, password, _ := strings.Cut(me, ":")
	req.SetBasicAuth(username, password)
	req.Header.Set(nodejitsu.HeaderOrder, order)
	resp, err := b.server.Client().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var said struct{ Error string }
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || resp.StatusCode != status || said.Error != name {
		b.t.Errorf("%s in the order %q: %d %s, %v; want %d %s", call, order, resp.StatusCode, said.Error, err, status, name)
	}
}

// versions returns the version, the active and the running snapshot of me/app.
func (b *fixture) versions() [3]string {
	b.t.Helper()
	type named struct{ ID string }
	var got struct {
		App struct {
			Version         string
			Active, Running named
		}
	}
	b.must(200, me, "GET /apps/me/app", "").decode(&got)
	return [3]string{got.App.Version, got.App.Active.ID, got.App.Running.ID}
}

// A deployment that a later one has overtaken changes nothing, at any step. Calls
// without an order are always accepted, and don't change the order.
func TestOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	steps := func(version string) []string {
		return []string{"PUT /apps/me/app", "POST /apps/me/app/snapshots/" + version + "/activate", "POST /apps/me/app/start"}
	}
	body := func(version string) string { return `{"version":"` + version + `"}` }
	deploy := func(order, version string) {
		t.Helper()
		for _, step := range steps(version) {
			b.in(order, 200, "", step, body(version))
		}
	}
	for _, version := range []string{"v1", "v2", "v3"} {
		b.must(200, me, "POST /apps/me/app/snapshots/"+version, "tgz")
	}
	deploy("1-00000009", "v1")
	deploy("1-00000010", "v1") // the same, retried
	deploy("2-00000001", "v2")
	late := func() {
		t.Helper()
		before := b.versions()
		for _, order := range []string{"1-00000009", "1-00000010", "2-00000000"} {
			for _, step := range steps("v1") {
				b.in(order, 409, "superseded", step, body("v1"))
			}
		}
		if got := b.versions(); got != before {
			t.Errorf("versions %q, were %q before", got, before)
		}
	}
	late()
	// An older deployment does not start the active snapshot of a later one either.
	b.in("3", 200, "", "POST /apps/me/app/snapshots/v3/activate", "")
	b.in("2-00000001", 409, "superseded", "POST /apps/me/app/start", "")
	b.in("3", 200, "", "POST /apps/me/app/start", "")
	// A rollback by hand.
	for _, step := range steps("v2") {
		b.must(200, me, step, body("v2"))
	}
	if got := b.versions(); got != [3]string{"v2", "v2", "v2"} {
		t.Errorf("versions %q", got)
	}
	late()
	deploy("4", "v3")
	for _, order := range []string{"A", "a b", strings.Repeat("1", 65)} {
		b.in(order, 400, "invalid", "POST /apps/me/app/start", "")
	}
}
