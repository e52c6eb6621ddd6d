package nodejitsu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// repeat returns the header and the body of a request.
func repeat(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	var decoded map[string]any
	_ = json.Unmarshal(body, &decoded)
	user, password, _ := r.BasicAuth()
	text, _ := json.Marshal(map[string]any{"header": r.Header, "body": string(body), "decoded": decoded})
	return "you sent " + user + ":" + password + " and " + string(text)
}

// If a platform, or a proxy in front of it, repeats a request in its response, the
// credentials of the request are redacted in the error.
func TestErrorsRedactCredentials(t *testing.T) {
	t.Parallel()
	server := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		message, _ := json.Marshal(map[string]string{"message": repeat(r)})
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(message)
	})
	service := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return server.URL }, Username: core.ServiceUser,
		Password: func() core.Secret { return core.NewSecret("canary-shared-key") },
	})
	t.Cleanup(service.Close)
	user := newClient(t, server.URL)
	for name, call := range map[string]func(context.Context) error{
		"a user's call": func(ctx context.Context) error {
			_, err := user.StartApp(ctx, "maciej", "app")
			return err
		},
		"a call for a user": func(ctx context.Context) error {
			_, err := service.Auth(ctx, core.Credentials{Username: "maciej", Password: password})
			return err
		},
		"a new user's password": func(ctx context.Context) error {
			return service.CreateUser(ctx, nodejitsu.User{Username: "new", Password: password})
		},
		"a third-party token": func(ctx context.Context) error {
			return service.SetThirdPartyToken(ctx, "maciej", core.ThirdPartyToken{Token: core.NewSecret("canary-token")})
		},
		"an environment": func(ctx context.Context) error {
			return user.UpdateApp(ctx, "maciej", "app", map[string]any{"env": map[string]string{"API_KEY": "canary-variable"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := call(t.Context())
			noSecrets(t, err)
			if !strings.Contains(err.Error(), "you sent ") || !strings.Contains(err.Error(), "***") {
				t.Errorf("the platform's message is missing: %v", err)
			}
		})
	}
}

func TestBuildOutputRedactsCredentials(t *testing.T) {
	t.Parallel()
	server := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Build-Failure")
		text := repeat(r)
		_, _ = io.WriteString(w, "Building\n"+text)
		w.Header().Set("X-Build-Failure", strings.ReplaceAll(text, "\n", " "))
	})
	var out bytes.Buffer
	err := newClient(t, server.URL).UploadSnapshot(t.Context(), "maciej", "app", "1", "", strings.NewReader("tgz"), &out)
	noSecrets(t, err)
	noSecrets(t, errors.New("nodejitsu: "+out.String()))
	if !strings.HasPrefix(out.String(), "Building\nyou sent *** and ") {
		t.Errorf("the output is %q", out.String())
	}
}
