package dashboard

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

// functions are what templates call.
func functions() template.FuncMap {
	return template.FuncMap{
		"age": age, "until": until, "duration": duration, "stamp": stamp, "subject": subject, "short": short,
		"sentence": sentence, "reason": reason, "status": statusWord, "outcome": outcome, "line": firstLine, "address": address, "step": stepWord, "author": author, "took": took,
		"row": newRow, "rows": newRows, "page": subpage, "memory": memory, "contains": strings.Contains,
	}
}

// memory returns a number of bytes as people read it.
func memory(bytes int64) string {
	if bytes >= 10<<30 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", max(bytes>>20, 1))
}

// age returns how long ago t was.
func age(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	switch {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	case d < 60*24*time.Hour:
		return fmt.Sprintf("%d days ago", d/(24*time.Hour))
	}
	return t.Format("2 Jan 2006")
}

// until returns the time that is left until t.
func until(now, t time.Time) string {
	switch d := t.Sub(now); {
	case d <= 0:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("in %d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("in %d min", d/time.Minute)
	default:
		return fmt.Sprintf("in %d h", d/time.Hour)
	}
}

// duration returns a number of milliseconds in a form for people.
func duration(millis int64) string {
	switch d := time.Duration(millis) * time.Millisecond; {
	case d < time.Second:
		return fmt.Sprintf("%d ms", millis)
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
}

// took returns how long it took from the acceptance of an entry to its outcome.
func took(e core.Entry) string {
	if e.FinishedAt.IsZero() {
		return ""
	}
	return duration(max(e.FinishedAt.Sub(e.CreatedAt).Milliseconds(), 0))
}

// stamp returns t for machines, and for the title of an age.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// subject returns the first line of a commit's message.
func subject(c core.Commit) string {
	return strings.TrimSpace(firstLine(c.Message))
}

// author returns the name of a commit's author.
func author(c core.Commit) string {
	if c.Author.Name != "" {
		return c.Author.Name
	}
	return c.Author.Username
}

// short returns the first digits of a commit's id.
func short(commit string) string { return commit[:min(len(commit), 7)] }

// sentence returns text with a capital letter and a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return stopped(string(unicode.ToUpper(first)) + text[size:])
}

// stopped returns text, which is not empty, with a full stop.
func stopped(text string) string {
	if !strings.ContainsAny(text[len(text)-1:], ".!?)") {
		text += "."
	}
	return text
}

// firstLine returns the first line of text.
func firstLine(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}

// address returns a URL without its scheme.
func address(url string) string {
	_, rest, found := strings.Cut(url, "://")
	if !found {
		return url
	}
	return strings.TrimSuffix(rest, "/")
}

// outcome returns the status of an entry for people.
func outcome(e core.Entry) string {
	if e.Status == core.StatusOK && !deploys(e) {
		return "Received"
	}
	if e.Status == core.StatusOK && e.Kind == core.EventRelease && e.Event != "deploy" {
		return "Done"
	}
	return statusWord(e.Status)
}

// deploys reports whether an entry deploys something, or would if it were not
// skipped.
func deploys(e core.Entry) bool {
	return e.Status != core.StatusIgnored && e.Kind != core.EventPing && e.Releases == ""
}

// statusWord returns a status for people.
func statusWord(s core.Status) string {
	switch s {
	case core.StatusPending:
		return "Deploying"
	case core.StatusHeld:
		return "Held"
	case core.StatusOK:
		return "Deployed"
	case core.StatusError:
		return "Failed"
	case core.StatusSkipped:
		return "Skipped"
	case core.StatusIgnored:
		return "Ignored"
	}
	return string(s)
}

// stepWord returns what a step does.
func stepWord(name core.StepName) string {
	switch name {
	case core.StepGate:
		return "Find out what to wait for"
	case core.StepPackage:
		return "Read package.json"
	case core.StepCreate:
		return "Create the app"
	case core.StepUpload:
		return "Upload and build"
	case core.StepStart:
		return "Start"
	case core.StepStatus:
		return "Set the commit status"
	case core.StepRelease:
		return "Release the push"
	}
	return string(name)
}

// row is an entry as lists show it.
type row struct {
	core.Entry
	Now time.Time
}

func newRow(now time.Time, e core.Entry) row { return row{e, now} }

func newRows(now time.Time, entries []core.Entry) []row {
	rows := make([]row, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, newRow(now, e))
	}
	return rows
}

// At is when the entry was made.
func (r row) At() time.Time { return r.CreatedAt }

// Took is how long it took until its outcome.
func (r row) Took() string {
	if deploys(r.Entry) && (r.Status == core.StatusOK || r.Status == core.StatusError) {
		return took(r.Entry)
	}
	return ""
}

// Step is the newest step, nil if there is none.
func (r row) Step() *core.Step {
	if len(r.Steps) == 0 {
		return nil
	}
	return &r.Steps[len(r.Steps)-1]
}

// Why is the reason of the status. For what people and the platform do by other means
// it says what that was.
func (r row) Why() string {
	if r.Error != nil {
		return sentence(r.Error.Reason)
	}
	return reason(r.Entry)
}

// reason returns the reason of an entry's status as a sentence. A user's name at its
// beginning stays as it is.
func reason(e core.Entry) string {
	if e.By != "" && strings.HasPrefix(e.Reason, e.By+" ") {
		return stopped(e.Reason)
	}
	return sentence(e.Reason)
}

// subpage returns v with what a part of its page shows.
func subpage(v view, page any) view {
	v.Page = page
	return v
}
