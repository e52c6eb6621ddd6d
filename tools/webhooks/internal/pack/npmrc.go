package pack

import (
	"regexp"
	"strings"
)

// npmrcName is the file of npm's settings. What it says of how to install goes
// along, its credentials do not.
const npmrcName = ".npmrc"

var (
	// credential matches the settings that hold one (docs.npmjs.com, "npmrc").
	credential = regexp.MustCompile(`(?i)(^|:)(_auth|_authToken|_password|username|email|certfile|keyfile|cert|key|otp)$`)
	// variable matches a value that is a variable of the environment alone.
	variable = regexp.MustCompile(`^["']?\$\{[^{}]+\}["']?$`)
	// userinfo matches an address with a name or a password in it.
	userinfo = regexp.MustCompile(`://[^/@\s]+@`)
)

// withoutCredentials returns npm's settings without those that hold a
// credential, and reports whether there were any. One that refers to a variable
// holds none.
func withoutCredentials(text string) (clean string, removed bool) {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		secret := credential.MatchString(strings.TrimSpace(name)) && !variable.MatchString(strings.TrimSpace(value))
		if secret || userinfo.MatchString(line) {
			removed = true
			continue
		}
		kept.WriteString(line)
	}
	return kept.String(), removed
}
