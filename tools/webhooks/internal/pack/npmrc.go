package pack

import (
	"regexp"
	"strings"
)

// The files of the package managers' settings. What they say of how to install goes
// along, their credentials do not.
const (
	npmrcName  = ".npmrc"
	yarnrcName = ".yarnrc.yml" // of yarn 2 and later
)

var (
	// credential matches the settings that hold one (docs.npmjs.com, "npmrc";
	// yarnpkg.com, "Yarnrc files").
	credential = regexp.MustCompile(`(?i)(^|:)(_auth|_authToken|_password|username|email|certfile|keyfile|cert|key|otp|npmAuthToken|npmAuthIdent)$`)
	// variable matches a value that is a variable of the environment alone.
	variable = regexp.MustCompile(`^["']?\$\{[^{}]+\}["']?$`)
	// userinfo matches an address with a name or a password in it.
	userinfo = regexp.MustCompile(`://[^/@\s]+@`)
)

// withoutCredentials returns the settings of one of these files without those that
// hold a credential, and reports whether there were any. One that refers to a
// variable holds none.
func withoutCredentials(file, text string) (clean string, removed bool) {
	separator := "="
	if file == yarnrcName {
		separator = ":"
	}
	var kept strings.Builder
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), separator)
		secret := credential.MatchString(strings.TrimSpace(name)) && !variable.MatchString(strings.TrimSpace(value))
		if secret || userinfo.MatchString(line) {
			removed = true
			continue
		}
		kept.WriteString(line)
	}
	return kept.String(), removed
}
