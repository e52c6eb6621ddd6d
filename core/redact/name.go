package redact

import (
	"net/url"
	"strings"
)

// Named reports whether something of this name, such as a variable of an
// environment or a parameter of a URL, holds a credential.
func Named(name string) bool {
	name = strings.ToUpper(name)
	for _, word := range []string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "SIGNATURE"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	for _, word := range []string{"KEY", "KEYS", "PASS", "PWD", "JWT"} {
		if strings.HasSuffix(name, word) {
			return true
		}
	}
	return false
}

// Variable reports whether a variable of an environment holds a credential: by its
// name, or because its value is a URL with a password.
func Variable(name, value string) bool {
	if Named(name) {
		return true
	}
	u, err := url.Parse(value)
	if err != nil {
		return strings.Contains(value, "@")
	}
	_, has := u.User.Password()
	return has
}
