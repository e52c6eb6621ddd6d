package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// StorePath is the file of the embedded store.
func (c Config) StorePath() string { return filepath.Join(c.Data, "webhooks.db") }

// PlatformDir is the folder of the embedded platform.
func (c Config) PlatformDir() string { return filepath.Join(c.Data, "platform") }

// PlatformStorePath is the file of the embedded platform's users and apps.
func (c Config) PlatformStorePath() string { return filepath.Join(c.PlatformDir(), "platform.db") }

// PlatformURLFile is the file where a running server writes its platform's URL.
func (c Config) PlatformURLFile() string { return filepath.Join(c.PlatformDir(), "platform.url") }

// AdminSocket is where a running server is administrated.
func (c Config) AdminSocket() string { return filepath.Join(c.Data, "admin.sock") }

// PlatformKey returns the key that is shared with the platform. The embedded
// platform makes its own when it first starts.
func (c Config) PlatformKey() (core.Secret, error) {
	path := c.PlatformKeyFile
	if path == "" {
		path = filepath.Join(c.PlatformDir(), "platform.key")
	}
	return SecretFile(path)
}

// SealKeysPath is the file with the keys that encrypt access tokens.
func (c Config) SealKeysPath() string {
	if c.SealKeysFile != "" {
		return c.SealKeysFile
	}
	return filepath.Join(c.PlatformDir(), "seal.keys")
}

// SealKeys returns the keys that encrypt access tokens: from the file that is
// set, else from the variable WEBHOOKS_SEAL_KEYS of environ. It returns "" if
// neither is set: the platform then has keys of its own.
func (c Config) SealKeys(environ []string) (core.Secret, error) {
	if c.SealKeysFile == "" {
		return core.NewSecret(strings.ReplaceAll(Variable(environ, "SEAL_KEYS"), ",", "\n")), nil
	}
	keys, err := SecretFile(c.SealKeysFile)
	if err != nil {
		return core.Secret{}, fmt.Errorf("--seal-keys-file: %w", err)
	}
	return keys, nil
}

// TravisKeys returns the pinned public keys of Travis CI, in PEM.
func (c Config) TravisKeys() ([]core.Secret, error) {
	keys := make([]core.Secret, 0, len(c.TravisPublicKeys))
	for _, path := range c.TravisPublicKeys {
		key, err := SecretFile(path)
		if err != nil {
			return nil, fmt.Errorf("--travis-public-keys: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// SecretFile reads a secret: the text of a file without surrounding space.
func SecretFile(path string) (core.Secret, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return core.Secret{}, err
	}
	return core.NewSecret(strings.TrimSpace(string(text))), nil
}
