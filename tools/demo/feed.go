package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

// feed is the change feed of the demo's user, printed as it is read.
type feed struct {
	d      *demo
	next   func() (client.Change, error, bool)
	close  func()
	output map[string]string // by entry: the part of its output that was printed
	last   map[string]string // by entry: the line that was printed last
}

// follow opens the feed.
func (d *demo) follow(ctx context.Context) (*feed, error) {
	c, err := client.New(client.Options{URL: d.server.api, User: user, Password: d.password})
	if err != nil {
		return nil, err
	}
	f := &feed{d: d, output: map[string]string{}, last: map[string]string{}}
	f.next, f.close = iter.Pull2(c.Feed(ctx, client.FeedOptions{Since: "0", Docs: core.DocAlways}))
	return f, nil
}

// until prints the changes until the push to a repository has a status. Another
// outcome is an error.
func (f *feed) until(repository string, want core.Status) error {
	for {
		change, err, _ := f.next()
		if err != nil {
			return fmt.Errorf("wait for %s to be %s: %w", repository, want, err)
		}
		f.show(change)
		if change.Doc.Kind != core.EventPush || change.Doc.Repository.Name != repository {
			continue
		}
		if change.Status == want {
			return nil
		}
		if change.Status.Outcome() {
			return fmt.Errorf("the push to %s is %s: %s", repository, change.Status, change.Reason)
		}
	}
}

// show prints a change in a line, after what the build wrote since the last
// one.
func (f *feed) show(change client.Change) {
	entry := change.Doc
	step := ""
	if n := len(entry.Steps); n > 0 {
		step = string(entry.Steps[n-1].Name)
	}
	output := strings.TrimPrefix(entry.Output, f.output[entry.ID])
	f.output[entry.ID] = entry.Output
	for line := range strings.Lines(output) {
		f.d.line("  | %s", strings.TrimRight(line, "\r\n"))
	}
	text := fmt.Sprintf("%-8s %-28s %-8s %s", change.Status, entry.Repository.Slug()+" "+string(entry.Kind), step, change.Reason)
	if f.last[entry.ID] == text {
		return // another field has changed, such as the output
	}
	f.last[entry.ID] = text
	f.d.line("%s", strings.TrimRight(text, " "))
}
