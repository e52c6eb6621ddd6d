package builds

import (
	"encoding/base64"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// secrets returns a Redactor of the credentials that must not appear in the output:
// the values of environment variables that are named like credentials, and the
// registry credentials in the operator's settings and the app's .npmrc, which a
// registry may repeat in its error messages.
func (g *building) secrets() *redact.Redactor {
	found := g.credentialsIn("registry", g.o.Registry)
	for _, env := range []map[string]string{g.o.Env, g.env} {
		for name, value := range env {
			found = append(found, g.credentialsIn(name, value)...)
		}
	}
	for _, text := range g.npmrcs() {
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(line, "=")
			found = append(found, g.credentialsIn(strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`))...)
		}
	}
	return redact.New(found...)
}

// npmrcs returns the .npmrc of the app and of its workspace, and the operator's.
func (g *building) npmrcs() []string {
	var texts []string
	if root, err := os.OpenRoot(g.Dir); err == nil {
		defer root.Close() //nolint:errcheck // only read
		for _, dir := range []string{g.project.App.Dir, g.project.Workspace.Dir} {
			if text, err := readFile(root, path.Join(dir, ".npmrc"), maxNpmrc); err == nil {
				texts = append(texts, string(text))
			}
		}
	}
	if name := g.o.Env["npm_config_userconfig"]; name != "" {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() <= maxNpmrc {
			if text, err := os.ReadFile(name); err == nil { //nolint:gosec // a regular file of the operator
				texts = append(texts, string(text))
			}
		}
	}
	return texts
}

const maxNpmrc = 1 << 20 // bytes

// variable matches a reference to an environment variable in .npmrc.
var variable = regexp.MustCompile(`\$\{[^{}]+\}`)

// credentialsIn returns the credentials in a setting.
func (g *building) credentialsIn(name, value string) []core.Secret {
	value = variable.ReplaceAllStringFunc(value, func(v string) string {
		name := strings.TrimSuffix(v[2:len(v)-1], "?")
		if value, ok := g.env[name]; ok {
			return value
		}
		return g.o.Env[name]
	})
	var found []core.Secret
	if u, err := url.Parse(value); err == nil && u.User != nil {
		password, _ := u.User.Password()
		found = append(found, core.NewSecret(password))
	}
	if !redact.Named(name) && !strings.HasSuffix(name, "_auth") {
		return found
	}
	found = append(found, core.NewSecret(value))
	// npm writes _auth and _password in Base64.
	if decoded, err := base64.StdEncoding.DecodeString(value); err == nil {
		_, password, ok := strings.Cut(string(decoded), ":")
		if !ok {
			password = string(decoded)
		}
		found = append(found, core.NewSecret(string(decoded)), core.NewSecret(password))
	}
	return found
}
