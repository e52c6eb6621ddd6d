package builds_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// Credentials that a registry repeats in its error message appear neither in the
// output of a build nor in its error.
func TestOutputMasksCredentials(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := "you sent " + r.Header.Get("Authorization")
		if _, password, ok := r.BasicAuth(); ok {
			answer += " which is " + password
		}
		message, _ := json.Marshal(map[string]string{"error": answer})
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(message)
	}))
	t.Cleanup(registry.Close)
	host := strings.TrimPrefix(registry.URL, "http:")
	for name, c := range map[string]struct {
		npmrc string
		env   map[string]string
	}{
		"token":    {host + "/:_authToken=canary-token\n", nil},
		"variable": {host + "/:_authToken=${NPM_AUTH}\n", map[string]string{"NPM_AUTH": "canary-token"}},
		"basic":    {host + "/:_auth=bWU6Y2FuYXJ5LXBhc3N3b3Jk\n", nil}, // me:canary-password
		"password": {host + "/:username=me\n" + host + "/:_password=Y2FuYXJ5LXBhc3N3b3Jk\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{Registry: registry.URL + "/", Env: c.env})
			_, err := b.build(app(t, `{"name":"a","dependencies":{"b":"1.0.0"}}`, ".npmrc", c.npmrc))
			if err == nil {
				t.Fatal("no error")
			}
			for place, text := range map[string]string{"output": b.out.String(), "error": err.Error()} {
				if strings.Contains(text, "canary") || strings.Contains(text, "Y2FuYXJ5") {
					t.Errorf("the %s contains a credential: %s", place, text)
				}
				if !strings.Contains(text, "you sent ") || !strings.Contains(text, "***") {
					t.Errorf("the registry's message is missing in the %s: %s", place, text)
				}
			}
		})
	}
}
