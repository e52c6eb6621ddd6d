package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// change is what the demo reads of a line of the feed.
type change struct {
	Status core.Status `json:"status"`
	Reason string      `json:"reason"`
	Doc    core.Entry  `json:"doc"`
}

// feed is the change feed of the demo's user, shown as it comes.
type feed struct {
	d       *demo
	body    io.Closer
	changes chan change       // closed at the end of the feed
	output  map[string]string // by entry: of it, what was shown
	said    map[string]string // by entry: the line that was shown last
}

// follow opens the feed.
func (d *demo) follow(ctx context.Context) (*feed, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.server.api+"/1/status/"+user+"/changes?include_docs=true&since=0", http.NoBody)
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(user, d.password.Reveal())
	response, err := http.DefaultClient.Do(request) //nolint:bodyclose // feed.close does
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		_ = response.Body.Close()
		return nil, fmt.Errorf("the feed answers %s: %s", response.Status, text)
	}
	f := &feed{d: d, body: response.Body, changes: make(chan change), output: map[string]string{}, said: map[string]string{}}
	go func() {
		defer close(f.changes)
		lines := bufio.NewReader(response.Body)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var c change
			if len(line) < 2 || json.Unmarshal(line, &c) != nil || c.Doc.ID == "" {
				continue // a heartbeat
			}
			select {
			case f.changes <- c:
			case <-ctx.Done():
				return
			}
		}
	}()
	return f, nil
}

func (f *feed) close() { _ = f.body.Close() }

// until shows the changes as they come, until the push to a repository stands
// as wanted. An outcome that is another fails.
func (f *feed) until(ctx context.Context, repository string, wanted core.Status) error {
	for {
		select {
		case c, open := <-f.changes:
			if !open {
				return fmt.Errorf("the feed ended before %s was %s", repository, wanted)
			}
			f.show(c)
			if c.Doc.Kind != core.EventPush || c.Doc.Repository.Name != repository {
				continue
			}
			if c.Status == wanted {
				return nil
			}
			if c.Status.Outcome() {
				return fmt.Errorf("the push to %s is %s: %s", repository, c.Status, c.Reason)
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to be %s: %w", repository, wanted, ctx.Err())
		}
	}
}

// show tells a change in a line, and what the build printed since the last.
func (f *feed) show(c change) {
	step := ""
	if n := len(c.Doc.Steps); n > 0 {
		step = string(c.Doc.Steps[n-1].Name)
	}
	output := strings.TrimPrefix(c.Doc.Output, f.output[c.Doc.ID])
	f.output[c.Doc.ID] = c.Doc.Output
	for line := range strings.Lines(output) {
		f.d.tell("  | %s", strings.TrimRight(line, "\r\n"))
	}
	text := fmt.Sprintf("%-8s %-28s %-8s %s", c.Status, c.Doc.Repository.Slug()+" "+string(c.Doc.Kind), step, c.Reason)
	if f.said[c.Doc.ID] == text {
		return // that change was of something else, such as the output
	}
	f.said[c.Doc.ID] = text
	f.d.tell("%s", strings.TrimRight(text, " "))
}
