package nodejitsu

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// LogLine is a line of an app's log.
type LogLine struct {
	Time    time.Time
	Stderr  bool
	Text    string
	Process string // name of the process, "" for web; only the embedded platform sends it
	Drone   int    // number of the drone; only the embedded platform sends it
}

// UnmarshalJSON reads the platform's form: time in seconds since 1970,
// description, service, which is logs/stdout or logs/stderr, process and drone.
func (l *LogLine) UnmarshalJSON(text []byte) error {
	var line struct {
		Time        float64 `json:"time"`
		Service     string  `json:"service"`
		Description string  `json:"description"`
		Process     string  `json:"process"`
		Drone       int     `json:"drone"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	l.Time = time.UnixMilli(int64(math.Round(line.Time * 1000))).UTC()
	l.Stderr = line.Service == "logs/stderr"
	l.Text, l.Process, l.Drone = line.Description, line.Process, line.Drone
	return nil
}

// Logs returns the last n lines of an app's log, the newest first.
func (c *Client) Logs(ctx context.Context, user, app string, n int) ([]LogLine, error) {
	var lines []LogLine
	err := c.call(ctx, request{doing: "read logs", method: http.MethodGet, path: []string{"logs", user, app, strconv.Itoa(n)}}, &lines)
	return lines, err
}

// LogsBetween returns the last n lines of an app's log from `from` until
// `until`, the newest first; a zero time means unbounded.
func (c *Client) LogsBetween(ctx context.Context, user, app string, from, until time.Time, n int) ([]LogLine, error) {
	asked := map[string]any{"rows": n}
	for name, at := range map[string]time.Time{"from": from, "until": until} {
		if !at.IsZero() {
			asked[name] = at.Format(time.RFC3339Nano)
		}
	}
	var lines []LogLine
	err := c.call(ctx, request{doing: "read logs", method: http.MethodPost, path: []string{"logs", user, app}, body: asked}, &lines)
	return lines, err
}
