package platform_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

// Third-party tokens can be read again, but are not stored in plain text; the key
// that seals them can be replaced.
func TestThirdPartyTokensAreSealed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	first, second := seal.NewKey(), seal.NewKey()
	b := setup(t, platform.Options{SealKeys: first})
	c := b.user("alice")
	canary := core.NewSecret("ghp_canary_of_alice")
	b.ok(c.SetThirdPartyToken(ctx, "alice", core.ThirdPartyToken{ID: "github", Provider: "github", Token: canary}))
	has := func(b *fixture) error {
		t.Helper()
		tokens, err := b.service.ThirdPartyTokens(ctx, "alice")
		if err == nil && (len(tokens) != 1 || !tokens[0].Token.Equal(canary)) {
			t.Errorf("%d tokens", len(tokens))
		}
		return err
	}
	b.ok(has(b))
	b.stop()
	text, err := os.ReadFile(filepath.Join(b.o.Dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("ghp_canary")) {
		t.Error("the database contains the token")
	}

	b.o.SealKeys = core.NewSecret(second.Reveal() + "\n" + first.Reveal())
	b = b.again()
	b.ok(has(b))
	b.stop()
	b.o.SealKeys = second
	b = b.again()
	b.ok(has(b))
	b.stop()

	// Without its key a token can't be read until the key is added again.
	b.o.SealKeys = seal.NewKey()
	b = b.again()
	var failed *nodejitsu.Error
	if err := has(b); !errors.As(err, &failed) || failed.Name != "internal_error" || strings.Contains(err.Error(), "ghp_") {
		t.Errorf("without the key: %v", err)
	}
	b.stop()
	b.o.SealKeys = second
	b = b.again()
	b.ok(has(b))
}

// An app whose environment can't be read goes on, which its log says, and is taken over
// when it can be read again.
func TestAppWithoutItsKey(t *testing.T) {
	t.Parallel()
	key := seal.NewKey()
	b := setup(t, platform.Options{SealKeys: key, KeepApps: func() bool { return true }})
	me := b.user("me")
	b.app(me, "me", "one", map[string]any{"env": map[string]string{"GREETING": ", hi"}})
	b.upload(me, "me", "one", "v1", hello(t, "one"))
	b.run(me, "me", "one", "v1")
	b.stop()
	b.o.SealKeys = seal.NewKey()
	b = b.again()
	lines, err := b.as("me", core.NewSecret("password")).Logs(t.Context(), "me", "one", 1)
	if err != nil || len(lines) != 1 || !strings.Contains(lines[0].Text, "could not take over the app; it leaves the app as it is") {
		t.Errorf("the log has %v, %v", lines, err)
	}
	b.stop()
	b.o.SealKeys, b.o.KeepApps = key, nil
	b = b.again()
	if status, body := b.get("one"); status != http.StatusOK || body != "one, hi" {
		t.Errorf("right after the start it answers %d %s", status, body)
	}
	if log := b.log(b.as("me", core.NewSecret("password")), "me", "one"); strings.Count(strings.Join(log, "\n"), "up: one") != 1 {
		t.Errorf("the log has %q", log)
	}
}
