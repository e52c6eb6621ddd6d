package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	secret := core.NewSecret(value)
	credentials := core.Credentials{Username: "dscape", Password: secret}
	token := core.ThirdPartyToken{ID: "github", Token: secret}
	hidden := struct{ field core.Secret }{secret} // fmt calls no method of an unexported field
	var shown strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&shown, strings.Repeat(verb, 5), secret, credentials, &credentials, token, hidden)
	}
	for _, v := range []any{secret, credentials, map[string]core.Secret{"password": secret}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&shown, nil), slog.NewTextHandler(&shown, nil)} {
		slog.New(handler).Info("x", "password", secret, "credentials", credentials, "error", fmt.Errorf("x: %w", errors.New(secret.String())))
	}
	text := shown.String()
	for _, leak := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value)} {
		if strings.Contains(text, leak) {
			t.Errorf("%q is shown in %s", leak, text)
		}
	}
	if !strings.Contains(text, "***") {
		t.Errorf("no mask in %s", text)
	}
	var decoded core.Credentials
	if err := json.Unmarshal([]byte(`{"Password":"hunter2"}`), &decoded); err != nil || !decoded.Password.Equal(secret) {
		t.Errorf("decoding: %v", err)
	}
	if got := secret.Reveal(); got != value {
		t.Errorf("Reveal: got %q", got)
	}
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	if !(core.Secret{}).IsZero() || !core.NewSecret("").IsZero() || core.NewSecret("a").IsZero() {
		t.Error("IsZero is wrong")
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{"a", "a", true}, {"", "", true}, {"a", "b", false}, {"a", "", false}, {"a", "ab", false}} {
		a, b := core.NewSecret(c.a), core.NewSecret(c.b)
		if a.Equal(b) != c.want || reflect.DeepEqual(a, b) != c.want {
			t.Errorf("%q and %q: got %t, want %t", c.a, c.b, a.Equal(b), c.want)
		}
	}
}
