package serve

import (
	"bytes"
	"log"
	"log/slog"
	"strings"

	"github.com/nodejitsu/webhooks/httpapi/serve/episode"
)

// errorLog returns where net/http logs to.
func errorLog(logger *slog.Logger) *log.Logger {
	return log.New(&errorWriter{
		logger:     logger,
		handshakes: episode.New(logger, slog.LevelWarn, "TLS handshakes failed"),
	}, "", 0)
}

type errorWriter struct {
	logger     *slog.Logger
	handshakes *episode.Episode
}

// Write logs one message of net/http.
func (w *errorWriter) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	if bytes.Contains(p, []byte("TLS handshake error")) { // which any client can cause as often as it likes
		w.handshakes.Add("error", text)
	} else {
		w.logger.Warn("HTTP server error", "error", text)
	}
	return len(p), nil
}
