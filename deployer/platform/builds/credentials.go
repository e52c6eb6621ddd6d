package builds

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// credentials returns a Redactor of what npm may send to a registry: what the
// operator's settings and the .npmrc of the app in dir say. A registry that
// repeats them in its error message must not bring them into the log.
func (b *Builder) credentials(dir string) *redact.Redactor {
	found := b.credentialsIn("registry", b.o.Registry)
	for name, value := range b.o.Env {
		found = append(found, b.credentialsIn(name, value)...)
	}
	for _, file := range []string{filepath.Join(dir, ".npmrc"), b.o.Env["npm_config_userconfig"]} {
		if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() || info.Size() > maxPackage {
			continue
		}
		text, err := os.ReadFile(file) //nolint:gosec // a regular file of the app or the operator
		if err != nil {
			continue // npm can't read it either
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, "=")
			found = append(found, b.credentialsIn(strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`))...)
		}
	}
	return redact.New(found...)
}

// variable matches npm's way to name a variable of the environment.
var variable = regexp.MustCompile(`\$\{[^{}]+\}`)

// credentialsIn returns those in a setting.
func (b *Builder) credentialsIn(name, value string) []core.Secret {
	value = variable.ReplaceAllStringFunc(value, func(v string) string { return b.o.Env[v[2:len(v)-1]] })
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
