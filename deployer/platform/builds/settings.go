package builds

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// settings are the network settings of this machine's npm, for the package managers
// of builds. They are written as user settings, so that those in a repository take
// precedence.
type settings struct {
	npmrc, yarnrc string
	env           map[string]string
}

// npmKeys are the settings that are passed on, with yarn's name for them.
var npmKeys = []struct{ npm, yarn string }{ //nolint:gochecknoglobals // a table
	{"registry", "npmRegistryServer"},
	{"proxy", "httpProxy"},
	{"https-proxy", "httpsProxy"},
	{"noproxy", ""},
	{"cafile", "httpsCaFilePath"},
	{"ca", ""},
	{"strict-ssl", "enableStrictSsl"},
}

// passedOn are the variables of the server's environment with the same settings for
// other programs.
var passedOn = []string{"NODE_EXTRA_CA_CERTS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} //nolint:gochecknoglobals // a table

// readSettings runs npm for its settings, once.
func (b *Builder) readSettings(ctx context.Context) (settings, error) {
	b.settingsOnce.Lock()
	defer b.settingsOnce.Unlock()
	if b.settings != nil {
		return *b.settings, nil
	}
	t, err := b.tools()
	if err != nil {
		return settings{}, err
	}
	cmd := exec.CommandContext(ctx, t.node, t.npmScript(), "config", "list", "--json") //nolint:gosec // set by the operator
	cmd.Dir = os.TempDir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	var found map[string]any
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		return settings{}, fmt.Errorf("builds: asking npm for its settings: %w: %.500s", err, stderr.String())
	}
	if b.o.Registry != "" {
		found["registry"] = b.o.Registry
	}
	s := write(found)
	for _, name := range passedOn {
		if value := os.Getenv(name); value != "" {
			s.env[name] = value
		}
	}
	b.settings = &s
	return s, nil
}

// write converts npm's settings to the text of settings files.
func write(found map[string]any) settings {
	s := settings{env: map[string]string{}}
	if registry, _ := found["registry"].(string); strings.TrimSuffix(registry, "/") == "https://registry.npmjs.org" {
		delete(found, "registry")
	}
	if strict, ok := found["strict-ssl"].(bool); ok && strict {
		delete(found, "strict-ssl")
	}
	var npm, yarn strings.Builder
	for _, key := range npmKeys {
		values, ok := found[key.npm].([]any)
		if !ok {
			values = []any{found[key.npm]}
		}
		for _, value := range values {
			if value == nil || value == "" {
				continue
			}
			name := key.npm
			if ok {
				name += "[]"
			}
			fmt.Fprintf(&npm, "%s=%s\n", name, oneLine(fmt.Sprint(value)))
			if text, err := json.Marshal(value); err == nil && key.yarn != "" && !ok {
				fmt.Fprintf(&yarn, "%s: %s\n", key.yarn, text)
			}
		}
	}
	if registry, _ := found["registry"].(string); strings.HasPrefix(registry, "http://") {
		if u, err := url.Parse(registry); err == nil {
			fmt.Fprintf(&yarn, "unsafeHttpWhitelist: [%q]\n", u.Hostname())
		}
	}
	s.npmrc, s.yarnrc = npm.String(), yarn.String()
	return s
}

// oneLine quotes a certificate with several lines for npm.
func oneLine(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	quoted, _ := json.Marshal(text) // a string can always be encoded
	return string(quoted)
}

// configure writes the settings to a home. A running app has the same user and may
// have created links there.
func (b *Builder) configure(ctx context.Context, home string, as *syscall.Credential) error {
	s, err := b.readSettings(ctx)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // the files are closed separately
	for name, text := range map[string]string{".npmrc": s.npmrc, ".yarnrc.yml": s.yarnrc} {
		if text == "" {
			err = root.RemoveAll(name)
		} else {
			err = replaceIn(root, name, text, as)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replaceIn writes a file that has either its old or its new content at any time,
// as another build may have the same home.
func replaceIn(root *os.Root, name, text string, as *syscall.Credential) (err error) {
	next := name + "." + rand.Text()
	file, err := root.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err == nil && as != nil {
		err = file.Chown(int(as.Uid), int(as.Gid))
	}
	if err = errors.Join(err, file.Close()); err == nil {
		if err = root.Rename(next, name); err != nil { // a folder may have been put there
			err = errors.Join(root.RemoveAll(name), root.Rename(next, name))
		}
	}
	if err != nil {
		return errors.Join(err, root.RemoveAll(next))
	}
	return nil
}
