package api

import "github.com/nodejitsu/webhooks/core"

// Statuses returns the table of status codes.
func Statuses() map[core.Code]int { return statuses }

// Patterns returns the patterns of all routes, so that a test can verify that it
// covers each.
func (a *API) Patterns() []string {
	var patterns []string
	for _, r := range a.table() {
		patterns = append(patterns, r.pattern)
	}
	return patterns
}
