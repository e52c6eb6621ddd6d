package field

import (
	"net/url"
	"strings"
)

// Forge returns the forge that the web address of a repository is on: its host in
// lower case, with the port if there is one; "" if address is not a valid
// address.
func Forge(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || len(u.Host) > MaxLabel {
		return ""
	}
	host := strings.ToLower(u.Host)
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return ""
	}
	return host
}
