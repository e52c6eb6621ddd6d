package image

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Credentials returns the credentials in a file, in the form of Docker's config.json,
// as a Secret of the type kubernetes.io/dockerconfigjson has it. It is read whenever
// they are needed, so that they may change.
func Credentials(file string) authn.Keychain { return credentials(file) }

type credentials string

// Resolve implements authn.Keychain.
func (c credentials) Resolve(target authn.Resource) (authn.Authenticator, error) {
	text, err := os.ReadFile(string(c))
	if err != nil {
		return nil, fmt.Errorf("reading the credentials of registries: %w", err)
	}
	var config struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("reading the credentials of registries in %s: invalid JSON", string(c)) // err may quote them
	}
	names := []string{target.String(), target.RegistryStr(), "https://" + target.RegistryStr()}
	if target.RegistryStr() == name.DefaultRegistry {
		names = append(names, authn.DefaultAuthKey)
	}
	for _, name := range names {
		if found, ok := config.Auths[name]; ok {
			return authn.FromConfig(found), nil
		}
	}
	return authn.Anonymous, nil
}
