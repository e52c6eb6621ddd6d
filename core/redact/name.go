package redact

import "strings"

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
