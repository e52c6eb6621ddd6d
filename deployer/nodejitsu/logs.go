package nodejitsu

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// LogLine is what an app wrote.
type LogLine struct {
	Time   time.Time
	Stderr bool
	Text   string
}

// UnmarshalJSON reads the platform's form: time in seconds since 1970,
// description, and service, which is logs/stdout or logs/stderr.
func (l *LogLine) UnmarshalJSON(text []byte) error {
	var line struct {
		Time        float64 `json:"time"`
		Service     string  `json:"service"`
		Description string  `json:"description"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	l.Time = time.UnixMilli(int64(math.Round(line.Time * 1000))).UTC()
	l.Stderr = line.Service == "logs/stderr"
	l.Text = line.Description
	return nil
}

// Logs returns the last n lines of an app's log, the newest first.
func (c *Client) Logs(ctx context.Context, user, app string, n int) ([]LogLine, error) {
	var lines []LogLine
	err := c.call(ctx, request{doing: "read logs", method: http.MethodGet, path: []string{"logs", user, app, strconv.Itoa(n)}}, &lines)
	return lines, err
}
