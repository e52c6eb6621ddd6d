package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"to nowhere": {nil, 2, "name the Redis with --redis"},
		"nothing":    {[]string{"--redis", "127.0.0.1:1"}, 1, "there is no store to copy"},
	} {
		code, _, stderr := run(t, "", append([]string{"migrate", "--data", data}, test.args...)...)
		if code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: got code %d and %q", name, code, stderr)
		}
	}

	store := bolt.New(bolt.Options{Path: filepath.Join(data, "webhooks.db")})
	if err := store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	accepted, _, err := store.Accept(t.Context(), deploy.Acceptance{Entry: core.Entry{
		ID: strings.Repeat("f", 32), User: "me", Status: core.StatusPending, Steps: []core.Step{}, CreatedAt: time.Now().UTC(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	address := redistest.Start(t).Addr
	if code, _, stderr := run(t, "", "migrate", "--data", data, "--redis", address); code != 1 || !strings.Contains(stderr, "in use by another process") {
		t.Errorf("while a server runs: code %d and %q", code, stderr)
	}
	if err := store.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 entries (1 new) and 1 changes (1 new) of 1 users", "1 entries (0 new) and 1 changes (0 new) of 1 users"} {
		code, stdout, stderr := run(t, "", "migrate", "--data", data, "--redis", address)
		if code != 0 || !strings.HasPrefix(stdout, want) {
			t.Errorf("got code %d, %q and %q, want %q", code, stdout, stderr, want)
		}
		if !strings.HasSuffix(stdout, "all were compared\n") {
			t.Errorf("got %q", stdout)
		}
	}

	// What a server has done since is left alone, and told.
	server := redis.New(redis.Options{Addrs: []string{address}})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer server.Stop(t.Context()) //nolint:errcheck // of a test
	if _, err := server.Save(t.Context(), accepted.Entry, deploy.Move{}); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "", "migrate", "--data", data, "--redis", address)
	if code != 0 || !strings.Contains(stdout, "1 entries (0 new) and 1 changes (0 new)") ||
		!strings.Contains(stdout, "1 were compared, and 1 left as they are, as servers have used Redis since") {
		t.Errorf("got code %d, %q and %q", code, stdout, stderr)
	}
	if c, err := server.Find(t.Context(), accepted.Entry.ID); err != nil || c.Entry.Revision != 2 {
		t.Errorf("got revision %d, %v", c.Entry.Revision, err)
	}
}
