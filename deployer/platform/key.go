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
	path := filepath.Join(dir, "platform.key")
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	switch {
	case err == nil && strings.TrimSpace(string(text)) != "":
		return core.Secret(strings.TrimSpace(string(text))), nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("reading the key: %w", err)
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, or ends the process
	key := hex.EncodeToString(random[:])
	// Whole or not at all: half a key would lock everybody out.
	unfinished := path + ".new"
	if err := os.WriteFile(unfinished, []byte(key+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the key: %w", err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return "", fmt.Errorf("keeping the key: %w", err)
	}
	return core.Secret(key), nil
}
