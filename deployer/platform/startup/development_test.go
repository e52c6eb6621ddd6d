package startup_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// Commands that serve sources are distinguished from those that serve what was built.
func TestDevelopment(t *testing.T) {
	t.Parallel()
	for start, want := range map[string]string{
		"vite --open --mode ssr":           "vite",
		"vite":                             "vite",
		"exec vite dev --host":             "vite dev",
		"next dev":                         "next dev",
		"cross-env A=1  next dev -p 3000":  "next dev",
		"node_modules/.bin/nodemon":        "nodemon",
		"npm run a && react-scripts start": "react-scripts start",
		"nest start --watch":               "nest start --watch",
		"node --watch -r x":                "node --watch",
		"ng serve":                         "ng serve",
		"next start":                       "",
		"vite preview --port $PORT":        "",
		"vite build && node server.js":     "",
		"node server.js":                   "",
		"nest start":                       "",
		"node invite":                      "",
		"node dist/vite.js":                "",
	} {
		if got := startup.Development(start); got != want {
			t.Errorf("%s: got %q, want %q", start, got, want)
		}
	}
	if got := startup.Explained("node server.js", "it exited"); got != "it exited" {
		t.Errorf("got %q", got)
	}
}
