package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	given := core.Credentials{Username: "dscape", Password: value}
	token := core.ThirdPartyToken{ID: "github", Token: value}
	var shown strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&shown, verb+verb+verb+verb, core.Secret(value), given, &given, token)
	}
	for _, v := range []any{core.Secret(value), given, map[string]core.Secret{"password": value}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&shown, nil), slog.NewTextHandler(&shown, nil)} {
		slog.New(handler).Info("x", "password", core.Secret(value), "credentials", given, "error",
			fmt.Errorf("x: %w", errors.New(core.Secret(value).String())))
	}
	text := shown.String()
	for _, leak := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value)} {
		if strings.Contains(text, leak) {
			t.Errorf("%q is shown in %s", leak, text)
		}
	}
	if !strings.Contains(text, "***") {
		t.Errorf("nothing stands in its place in %s", text)
	}
	if got := core.Secret(value).Reveal(); got != value {
		t.Errorf("Reveal gave %q", got)
	}
}
