package nodejitsu_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestRunCommand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exit, failure string
		code          int
		fails         string
	}{
		"success":    {exit: "0"},
		"failure":    {exit: "3", code: 3},
		"not run":    {failure: "the app is being stopped", fails: "run a command: the app is being stopped"},
		"broken off": {fails: "no exit code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "X-Run-Exit-Code, X-Run-Failure")
				_, _ = io.WriteString(w, "one\ntwo\n")
				if test.exit != "" {
					w.Header().Set("X-Run-Exit-Code", test.exit)
				}
				if test.failure != "" {
					w.Header().Set("X-Run-Failure", test.failure)
				}
			})
			var out strings.Builder
			code, err := newClient(t, a.URL).RunCommand(t.Context(), "maciej", "a", "ls -l", nil, &out)
			if code != test.code || (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %d, %v", code, err)
			}
			if out.String() != "one\ntwo\n" {
				t.Errorf("printed %q", out.String())
			}
			if r := a.requests()[0]; r.method+" "+r.uri+" "+r.body != `POST /apps/maciej/a/run {"command":"ls -l"}` || r.contentType != "application/json" {
				t.Errorf("sent %+v", r)
			}
		})
	}
	a := newAPI(t, refused(http.StatusNotFound, "not_found", "There is no app a"))
	if _, err := newClient(t, a.URL).RunCommand(t.Context(), "maciej", "a", "ls", nil, io.Discard); core.CodeOf(err) != core.CodeOf(core.ErrNotFound) && !strings.Contains(err.Error(), "There is no app a") {
		t.Errorf("got %v", err)
	}
}
