package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
)

// idPrefix is what may stand for the id of an entry: the whole, or its beginning.
var idPrefix = regexp.MustCompile(`^[0-9a-f]{4,32}$`)

// Entries that are searched for one whose id begins as asked.
const (
	searchPage  = 100
	searchPages = 20
)

// entryID accepts one argument, the id of an entry or the beginning of it.
func entryID(cmd *cobra.Command, args []string) error {
	if err := exactly(1)(cmd, args); err != nil {
		return err
	}
	if !idPrefix.MatchString(args[0]) {
		return &usageError{fmt.Errorf("invalid id of an entry %.100q: want 32 hex digits, as `webhooks status` prints them, or at least the first 4", args[0])}
	}
	return nil
}

// entryID returns the id of the entry whose id begins with prefix. If that is not
// a whole id, it must be the beginning of exactly one of the user's last entries.
func (s *apiSession) entryID(ctx context.Context, prefix string) (string, error) {
	if core.ValidID(prefix) {
		return prefix, nil
	}
	var found []core.Entry
	searched := 0
	for range searchPages {
		page, err := s.api.Status(ctx, "", searched, searchPage)
		if err != nil {
			return "", err
		}
		for _, e := range page.Entries {
			if strings.HasPrefix(e.ID, prefix) && !slices.ContainsFunc(found, func(f core.Entry) bool { return f.ID == e.ID }) /* new entries move the pages */ {
				found = append(found, e)
			}
		}
		searched += len(page.Entries)
		if len(page.Entries) < searchPage || searched >= page.Total {
			break
		}
	}
	switch len(found) {
	case 0:
		return "", &messageError{text: fmt.Sprintf("no entry begins with %s, of the last %s: see `webhooks status`", prefix, count(searched, "entry", "entries"))}
	case 1:
		return found[0].ID, nil
	}
	ids := make([]string, 0, 5)
	for _, e := range found[:min(len(found), cap(ids))] {
		ids = append(ids, fmt.Sprintf("  %s %s %s", e.ID, dash(appOf(e)), e.Status))
	}
	if len(found) > len(ids) {
		ids = append(ids, "  …")
	}
	return "", &messageError{text: fmt.Sprintf("%s is the beginning of %d ids; write more of it:\n%s", prefix, len(found), printable(strings.Join(ids, "\n")))}
}

// count formats a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
