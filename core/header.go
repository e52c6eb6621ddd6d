package core

import (
	"slices"
	"strings"
)

// The limits of what [Delivery.Describe] returns.
const (
	maxHeaders = 20
	maxHeader  = 200 // bytes of a value
)

// Describe returns the headers that say what a delivery is, each as "Name: value", in
// order. Credentials, signatures and what proxies add are not among them.
func (d Delivery) Describe() []string {
	var all []string
	for name, values := range d.Header {
		if len(values) == 0 || !describes(name) {
			continue
		}
		all = append(all, name+": "+values[0][:min(len(values[0]), maxHeader)])
	}
	slices.Sort(all)
	return all[:min(len(all), maxHeaders)]
}

// describes reports whether a header says what a delivery is.
func describes(name string) bool {
	for _, word := range [...]string{"Token", "Signature", "Secret", "Auth"} {
		if strings.Contains(name, word) {
			return false
		}
	}
	switch name {
	case "Content-Type", "User-Agent", "X-Event-Key", "X-Request-Uuid", "X-Attempt-Number", "Travis-Repo-Slug":
		return true
	}
	for _, prefix := range [...]string{"X-Github-", "X-Gitlab-", "X-Gitea-", "X-Forgejo-", "X-Gogs-", "X-Hook-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
