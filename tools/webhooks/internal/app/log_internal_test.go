package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// An error is one short line, with what it is about and no stack trace.
func TestErrorsAreLoggedWithoutStack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := newLogger(config.Config{LogLevel: "info"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	newSlog(log).Error("redis is unavailable", "error", errors.New("connection refused"))
	line := map[string]any{}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	delete(line, "time")
	if len(line) != 3 || line["level"] != "error" || line["msg"] != "redis is unavailable" || line["error"] != "connection refused" {
		t.Errorf("got %v", line)
	}
}
