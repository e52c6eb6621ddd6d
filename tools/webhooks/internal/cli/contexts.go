package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/atomicfile"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// login is a service that a user has logged in to.
type login struct {
	URL      string      `json:"url"`      // of the webhooks service
	Platform string      `json:"platform"` // URL of the platform
	User     string      `json:"user"`
	Token    storedToken `json:"token"` // an API token
}

// storedToken is a secret that is written to a file.
type storedToken struct{ core.Secret }

// MarshalJSON writes the secret, which [core.Secret] itself never does.
func (t storedToken) MarshalJSON() ([]byte, error) { return json.Marshal(t.Reveal()) }

// UnmarshalJSON reads what MarshalJSON has written.
func (t *storedToken) UnmarshalJSON(text []byte) error {
	var plain string
	err := json.Unmarshal(text, &plain)
	t.Secret = core.NewSecret(plain)
	return err
}

// contexts are the logins of the person who calls the program, by name.
type contexts struct {
	Current string           `json:"current"` // name of the login that commands use
	Logins  map[string]login `json:"logins"`

	path string
}

// loadContexts reads the user's file. A file that does not exist is empty.
func loadContexts(environ []string) (*contexts, error) {
	c := &contexts{Logins: map[string]login{}}
	if c.path = config.Variable(environ, "CONTEXTS"); c.path == "" {
		dir := userConfigDir(environ)
		if dir == "" {
			return c, nil
		}
		c.path = filepath.Join(dir, "webhooks", "contexts.json")
	}
	text, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err != nil {
		return nil, fmt.Errorf("read the logins: %s: %w", c.path, err)
	}
	if c.Logins == nil {
		c.Logins = map[string]login{}
	}
	return c, nil
}

// userConfigDir is os.UserConfigDir for an environment; "" if there is none.
func userConfigDir(environ []string) string {
	get := func(name string) string {
		value, _ := config.Lookup(environ, name)
		return value
	}
	switch home := get("HOME"); {
	case runtime.GOOS == "windows":
		return get("AppData")
	case get("XDG_CONFIG_HOME") != "":
		return get("XDG_CONFIG_HOME")
	case home == "":
		return ""
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Application Support")
	default:
		return filepath.Join(home, ".config")
	}
}

// save writes the file, which only the user can read.
func (c *contexts) save() error {
	if c.path == "" {
		return errors.New("no folder for the logins: set HOME, or WEBHOOKS_CONTEXTS to a file")
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(c.path, append(text, '\n'), 0o600)
}

// login returns the login of that name. If the name is "", it is the one that was
// chosen last; the zero login if there is none.
func (c *contexts) login(name string) (login, error) {
	if name == "" {
		return c.Logins[c.Current], nil
	}
	found, ok := c.Logins[name]
	if !ok {
		return login{}, &usageError{fmt.Errorf("no login named %q: see `webhooks contexts`", name)}
	}
	return found, nil
}
