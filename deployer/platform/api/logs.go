package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

const (
	defaultRows = 100
	maxRows     = 10_000
	maxMillis   = 1e15 // far beyond all years of four digits
)

// logLine is a line of a log as the published clients read it.
type logLine struct {
	Time        float64 `json:"time"` // seconds since 1970
	Service     string  `json:"service"`
	Description string  `json:"description"`
	App         string  `json:"app"`
	Process     string  `json:"process,omitempty"` // "" for the web process
	Drone       int     `json:"drone"`
}

func (c *call) lines(lines []apps.Line, err error) error {
	if err != nil {
		return err
	}
	answer := make([]logLine, 0, len(lines))
	for _, l := range lines {
		answer = append(answer, newLogLine(l))
	}
	return c.answer(http.StatusOK, answer)
}

func newLogLine(l apps.Line) logLine {
	service := "logs/stdout"
	if l.Stream != runner.Stdout {
		service = "logs/stderr" // also lines of the platform itself, such as the crash of an app
	}
	return logLine{Time: float64(l.Time.UnixMilli()) / 1000, Service: service, Description: l.Text, App: l.App, Process: l.Process, Drone: l.Drone}
}

func (a *API) lastLogs(c *call) error {
	rows := defaultRows
	if text := c.r.PathValue("rows"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil || rows < 1 {
			return core.Errorf(core.CodePlatformInvalid, "The number of lines must be 1 or more")
		}
	}
	lines, err := a.o.Apps.Logs(c.user, c.app, time.Time{}, time.Time{}, min(rows, maxRows))
	return c.lines(lines, err)
}

// span is the requested part of a log.
type span struct {
	From  moment `json:"from"`
	Until moment `json:"until"`
	Rows  int    `json:"rows"`
}

func (c *call) span() (s span, err error) {
	if err := c.read(&s); err != nil {
		return span{}, err
	}
	if s.Rows <= 0 {
		s.Rows = defaultRows
	}
	s.Rows = min(s.Rows, maxRows)
	return s, nil
}

func (a *API) logsOfApp(c *call) error {
	s, err := c.span()
	if err != nil {
		return err
	}
	lines, err := a.o.Apps.Logs(c.user, c.app, s.From.Time, s.Until.Time, s.Rows)
	return c.lines(lines, err)
}

func (a *API) logsOfUser(c *call) error {
	s, err := c.span()
	if err != nil {
		return err
	}
	lines, err := a.o.Apps.AllLogs(c.user, s.From.Time, s.Until.Time, s.Rows)
	return c.lines(lines, err)
}

// moment is a time that is RFC 3339 or milliseconds since 1970.
type moment struct{ time.Time }

// UnmarshalJSON reads either form; null and "" mean unbounded.
func (m *moment) UnmarshalJSON(text []byte) error {
	m.Time = time.Time{}
	if string(text) == "null" || string(text) == `""` {
		return nil
	}
	var millis float64
	if json.Unmarshal(text, &millis) == nil && millis > 0 && millis < maxMillis {
		m.Time = time.UnixMilli(int64(millis))
		return nil
	}
	if json.Unmarshal(text, &m.Time) != nil {
		return core.Errorf(core.CodePlatformInvalid, "Invalid time %.40q: use RFC 3339, or milliseconds since 1970", text)
	}
	return nil
}
