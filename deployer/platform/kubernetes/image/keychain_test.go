package image_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	resolve := func(repository string) (authn.Authenticator, error) {
		t.Helper()
		r, err := name.NewRepository(repository)
		if err != nil {
			t.Fatal(err)
		}
		return image.Credentials(file).Resolve(r)
	}
	write(`{"auths": {"registry.example.com": {"auth": "bWU6cHc="}, "https://index.docker.io/v1/": {"username": "you", "password": "pw"}}}`)
	for repository, user := range map[string]string{"registry.example.com/me/app": "me", "library/node": "you", "other.example.com/app": ""} {
		found, err := resolve(repository)
		if err != nil {
			t.Fatal(err)
		}
		config, err := found.Authorization()
		if err != nil || config.Username != user {
			t.Errorf("for %s the user is %q, %v; want %q", repository, config.Username, err, user)
		}
	}
	write(`{"auths": {"registry.example.com": {"auth": secret}}}`)
	if _, err := resolve("registry.example.com/app"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
