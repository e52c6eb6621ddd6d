package platform_test

import (
	"bytes"
	"errors"
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
