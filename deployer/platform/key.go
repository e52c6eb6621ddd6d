package platform

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/atomicfile"
)

// loadKey returns the key that is kept in dir, and creates it if there is none.
func loadKey(dir string) (core.Secret, error) {
	return load(filepath.Join(dir, "platform.key"), func() core.Secret {
		var random [32]byte
		_, _ = rand.Read(random[:]) // never fails, or ends the process
		return core.NewSecret(hex.EncodeToString(random[:]))
	})
}

// SealFile is the file in a platform's folder with the keys that secrets are
// sealed with, if the operator names no others.
const SealFile = "seal.keys"

// load returns the secret in a file. If there is none, it writes the one that
// create returns.
func load(path string, create func() core.Secret) (core.Secret, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	switch {
	case err == nil && strings.TrimSpace(string(text)) != "":
		return core.NewSecret(strings.TrimSpace(string(text))), nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return core.Secret{}, fmt.Errorf("reading a key: %w", err)
	}
	secret := create()
	if err := atomicfile.Write(path, []byte(secret.Reveal()+"\n"), 0o600); err != nil {
		return core.Secret{}, fmt.Errorf("writing a key: %w", err)
	}
	return secret, nil
}
