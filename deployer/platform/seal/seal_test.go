package seal_test

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

var secret = core.NewSecret("ghp_canary")

func keys(t *testing.T, all ...core.Secret) *seal.Keys {
	t.Helper()
	var text strings.Builder
	for _, one := range all {
		text.WriteString("# a key\n\n " + one.Reveal() + " \r\n")
	}
	k, err := seal.Parse(core.NewSecret(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRotation(t *testing.T) {
	t.Parallel()
	first, second := seal.NewKey(), seal.NewKey()
	old := keys(t, first)
	sealed := old.Seal(secret, "alice/github")
	if strings.Contains(sealed, "canary") || sealed == old.Seal(secret, "alice/github") || !old.Current(sealed) {
		t.Errorf("sealed as %s", sealed)
	}
	both := keys(t, second, first)
	if got, err := both.Open(sealed, "alice/github"); err != nil || !got.Equal(secret) || both.Current(sealed) {
		t.Errorf("with both keys: %v, current: %t", err, both.Current(sealed))
	}
	again := both.Seal(secret, "alice/github")
	if got, err := keys(t, second).Open(again, "alice/github"); err != nil || !got.Equal(secret) {
		t.Errorf("with the new key: %v", err)
	}
	_, err := keys(t, second).Open(sealed, "alice/github")
	if err == nil || !strings.Contains(err.Error(), old.IDs()[0]) {
		t.Errorf("without the old key: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	k := keys(t, seal.NewKey())
	sealed := k.Seal(secret, "alice/github")
	flipped := []byte(sealed)
	flipped[len(flipped)-5] ^= 1
	for name, c := range map[string]struct{ sealed, what string }{
		"other user":  {sealed, "bob/github"},
		"flipped":     {string(flipped), "alice/github"},
		"cut off":     {sealed[:len(sealed)-8], "alice/github"},
		"too short":   {sealed[:13] + "AAAA", "alice/github"},
		"empty":       {"", "alice/github"},
		"the secret":  {secret.Reveal(), "alice/github"},
		"new version": {"v2" + sealed[2:], "alice/github"},
		"not base64":  {sealed + "!", "alice/github"},
		"unknown key": {"v1:00000000:" + sealed[12:], "alice/github"},
	} {
		if got, err := k.Open(c.sealed, c.what); err == nil || !got.IsZero() || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]core.Secret{
		"nothing":    {},
		"a comment":  core.NewSecret("# soon\n"),
		"too short":  core.NewSecret("Y2FuYXJ5"),
		"too long":   core.NewSecret(seal.NewKey().Reveal() + "AAAA"),
		"not base64": core.NewSecret("canary canary canary canary canary"),
		"the second": core.NewSecret(seal.NewKey().Reveal() + "\ncanary"),
	} {
		if _, err := seal.Parse(text); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
