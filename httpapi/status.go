package httpapi

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

const (
	defaultLimit = 20
	maxLimit     = 100
)

// list responds with a page of the user's entries.
func (a *API) list(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	skip, limit, err := page(c.Request.URL)
	if err != nil {
		return err
	}
	entries, total, err := a.o.Status.List(c.Request.Context(), user, c.Param("app"), skip, limit)
	if err != nil {
		return err
	}
	body, err := encodeEntries(entries)
	if err != nil {
		return err
	}
	here := a.base(c) + "/1/status/" + user + "/webhooks"
	if app := c.Param("app"); app != "" {
		here += "/" + url.PathEscape(app)
	}
	c.Header("X-Total-Count", strconv.Itoa(total))
	c.Header("Link", links(here, skip, limit, total))
	c.Data(http.StatusOK, typeJSON, body)
	return nil
}

// entry responds with one entry, with its doc.
func (a *API) entry(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	change, err := a.o.Status.Entry(c.Request.Context(), user, c.Param("id"))
	if err != nil {
		return err
	}
	line, err := core.NewLine(change)
	if err != nil {
		return err
	}
	c.Set(keyEntryID, change.Entry.ID)
	body := line.AppendTo(nil, a.base(c), core.DocAlways)
	answer, ok, err := AnswerTo(change, a.base(c), a.o.Dashboard != nil)
	if err != nil {
		return err
	}
	if ok {
		text, err := encode(answer)
		if err != nil {
			return err
		}
		body = append(append(body[:len(body)-1], `,"answer":`...), bytes.TrimSuffix(text, []byte{'\n'})...)
		body = append(body, '}')
	}
	c.Data(http.StatusOK, typeJSON, append(body, '\n'))
	return nil
}

// page reads skip and limit.
func page(u *url.URL) (skip, limit int, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return 0, 0, invalid(core.CodeStatusParams, "the query string", "pairs of the form name=value, percent-encoded")
	}
	limit = defaultLimit
	if query.Has("limit") {
		var ok bool
		if limit, ok = parseCount(query.Get("limit")); !ok || limit < 1 || limit > maxLimit {
			return 0, 0, invalid(core.CodeStatusParams, "limit", fmt.Sprintf("a whole number from 1 to %d", maxLimit))
		}
	}
	if query.Has("skip") {
		var ok bool
		if skip, ok = parseCount(query.Get("skip")); !ok {
			return 0, 0, invalid(core.CodeStatusParams, "skip", "a whole number from 0 on, of nine digits at most")
		}
	}
	return skip, limit, nil
}

// links returns the header Link (RFC 8288) of a page of what is at the URL here.
func links(here string, skip, limit, total int) string {
	var all []string
	add := func(rel string, skip int) {
		all = append(all, fmt.Sprintf(`<%s?limit=%d&skip=%d>; rel="%s"`, here, limit, skip, rel))
	}
	last := max(total-1, 0) / limit * limit
	add("first", 0)
	if skip > 0 {
		add("prev", max(min(skip, total)-limit, 0))
	}
	if skip+limit < total {
		add("next", skip+limit)
	}
	add("last", last)
	return strings.Join(all, ", ")
}

// encodeEntries returns a JSON array with one entry on each line.
func encodeEntries(entries []core.Entry) ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('[')
	for i, e := range entries {
		if i > 0 {
			out.WriteString(",\n")
		}
		text, err := encode(e)
		if err != nil {
			return nil, err
		}
		out.Write(bytes.TrimSuffix(text, []byte{'\n'}))
	}
	out.WriteString("]\n")
	return out.Bytes(), nil
}
