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
)

// keyIn returns the key that is kept in dir, and makes it where there is none.
func keyIn(dir string) (core.Secret, error) {
	return kept(filepath.Join(dir, "platform.key"), func() core.Secret {
		var random [32]byte
		_, _ = rand.Read(random[:]) // never fails, or ends the process
		return core.Secret(hex.EncodeToString(random[:]))
	})
}

// SealFile is the file in a platform's folder with the keys that third-party
// tokens are sealed with, where the operator names no others.
const SealFile = "seal.keys"

// kept returns the secret in a file; made by fresh where there is none.
func kept(path string, fresh func() core.Secret) (core.Secret, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	switch {
	case err == nil && strings.TrimSpace(string(text)) != "":
		return core.Secret(strings.TrimSpace(string(text))), nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("reading a key: %w", err)
	}
	secret := fresh()
	// Whole or not at all: half a key would lock everybody out.
	unfinished := path + ".new"
	if err := os.WriteFile(unfinished, []byte(secret.Reveal()+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping a key: %w", err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return "", fmt.Errorf("keeping a key: %w", err)
	}
	return secret, nil
}
