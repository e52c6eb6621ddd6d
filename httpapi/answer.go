package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Answer is what the sender of a delivery was answered, without the headers that
// every answer has.
type Answer struct {
	Status int             `json:"status"`
	Header []string        `json:"header"` // "Name: value"
	Body   json.RawMessage `json:"body"`
}

// AnswerTo returns what the sender of an entry's delivery was answered; ok is false
// if the entry does not say it: no sender waited, or the answer was about the push that a
// build report released. It is not stored but follows from the entry: the outcome if
// the sender was still waiting for it, else that the delivery was accepted. Of that
// answer, the parts that changed since are left out. base is the URL of the API, and
// pages reports whether it has pages for browsers.
func AnswerTo(change core.Change, base string, pages bool) (answer Answer, ok bool, err error) {
	e := change.Entry
	if e.AnswerBy.IsZero() || e.Releases != "" {
		return Answer{}, false, nil
	}
	url := base + "/1/status/" + e.User + "/changes/" + e.ID
	answer.Header = []string{"Content-Type: " + typeJSON, "X-Api-Uuid: " + e.UUID}
	switch {
	case !e.Status.Outcome() || e.FinishedAt.After(e.AnswerBy):
		status := core.StatusPending
		if !e.HeldAt.IsZero() && !e.HeldAt.After(e.AnswerBy) {
			status = core.StatusHeld
		}
		answer.Status = http.StatusAccepted
		answer.Header = append(answer.Header, "Location: "+url)
		answer.Body, err = encode(struct {
			ID     string      `json:"id"`
			Status core.Status `json:"status"`
		}{url, status})
	case e.Status == core.StatusError && e.Error != nil && !countsFailures(e.Provider):
		f := failure{Error: e.Error.Code, Reason: e.Error.Reason, Detail: e.Error.Detail, UUID: e.UUID, ID: url, URL: url}
		if pages {
			f.URL = base + e.Page()
		}
		answer.Status = statusOf(e.Error.Code)
		answer.Body, err = encode(f)
	default:
		answer.Status = http.StatusOK
		var line core.Line
		if line, err = core.NewShortLine(change); err == nil {
			answer.Body = line.AppendTo(nil, base, core.DocNever)
		}
	}
	return answer, true, err
}

// AnswerText returns the answer of AnswerTo for a person; "" if it is not known.
func AnswerText(change core.Change, base string) (string, error) {
	answer, ok, err := AnswerTo(change, base, true)
	if err != nil || !ok {
		return "", err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "HTTP %d %s\n%s\n\n", answer.Status, http.StatusText(answer.Status), strings.Join(answer.Header, "\n"))
	err = json.Indent(&text, answer.Body, "", "  ")
	return text.String(), err
}
