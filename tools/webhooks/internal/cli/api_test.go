package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

const id = "0123456789abcdef0123456789abcdef"

// entry is an entry as the API writes it.
func entry(status, more string) string {
	return `{"id":"` + id + `","app_name":"hello","status":"` + status + `","provider":"github","event":"push","kind":"push",` +
		`"repository":{"owner":"dscape","name":"hello-api"},"branch":"main","commit":{"id":"3f2a9c1d77aa0011223344556677889900112233","message":"Say hello\n\nMore"},` +
		`"created_at":"2026-11-27T10:00:00Z","updated_at":"2026-11-27T10:00:05Z"` + more + `}`
}

// change is a change as the API writes it.
func change(seq int, status, more string) string {
	return fmt.Sprintf(`{"seq":"%d-0","id":"http://host/1/status/dscape/changes/%s","app_name":"hello","status":"%s","doc":%s}`+"\n", seq, id, status, entry(status, more))
}

// callAPI runs a command line against a server that answers with handler.
func callAPI(t *testing.T, handler http.HandlerFunc, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), cli.IO{
		Args: args, Environ: []string{"WEBHOOKS_USER=dscape", "WEBHOOKS_PASSWORD=secret", "WEBHOOKS_URL=" + server.URL},
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
	}, "")
	return code, out.String(), errs.String()
}

func TestStatus(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "dscape" || password != "secret" || r.URL.Path != "/1/status/dscape/webhooks/hello" {
			t.Errorf("got %s of %s:%s", r.URL, user, password)
		}
		w.Header().Set("X-Total-Count", "3")
		_, _ = io.WriteString(w, "["+entry("error", `,"error":{"code":"deploy:x","reason":"It\u001b[31m failed."}`)+","+entry("ok", "")+"]")
	}
	code, stdout, stderr := callAPI(t, handler, "status", "hello", "-n", "2")
	if code != 0 || stderr != "1 older entry: see --number and --skip\n" ||
		!regexp.MustCompile(`(?m)^ID +APP +STATUS .*\n`+id+` +hello +error +\d+[mhd] +main +3f2a9c1 +It failed\.\n`+id+` +hello +ok .* -\n$`).MatchString(stdout) {
		t.Errorf("code %d, %q and\n%s", code, stderr, stdout)
	}
	code, stdout, _ = callAPI(t, handler, "status", "hello", "--output", "json")
	if code != 0 || !strings.HasPrefix(stdout, "[\n") || !strings.Contains(stdout, `"status": "ok"`) {
		t.Errorf("code %d, %s", code, stdout)
	}
	code, stdout, stderr = callAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Total-Count", "0")
		_, _ = io.WriteString(w, "[]")
	}, "status")
	if code != 0 || stdout != "" || stderr != "no entries\n" {
		t.Errorf("none: code %d, %q and %q", code, stdout, stderr)
	}
}

func TestPair(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.String() != "/1/auth/gitlab?app=hello&forge=git.example.com" || string(body) != `{"credentials":"me:glpat-1"}` {
			t.Errorf("got %s %s %s, %v", r.Method, r.URL, body, err)
		}
		_, _ = io.WriteString(w, `{"ok":true,"provider":"gitlab","login":"me","scopes":["api"],"app":"hello"}`)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("glpat-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := callAPI(t, handler, "pair", "gitlab", "me", "--forge", "git.example.com", "--app", "hello", "--token-file", token)
	if code != 0 || stdout != "paired with me at gitlab with api\n" || stderr != "" {
		t.Errorf("code %d, %q and %q", code, stdout, stderr)
	}
	code, _, stderr = callAPI(t, handler, "pair", "gitlab", "me")
	if code != 2 || !strings.Contains(stderr, "WEBHOOKS_FORGE_TOKEN or --token-file") {
		t.Errorf("without a token: code %d and %q", code, stderr)
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/1/status/dscape/changes/"+id {
			t.Errorf("got %s", r.URL)
		}
		_, _ = io.WriteString(w, change(3, "ok", `,"url":"http://hello.localhost","notes":["A note"],"output":"added 1 package\n",`+
			`"steps":[{"name":"upload","state":"ok","attempt":1,"duration_ms":12345,"detail":"Built"}]`))
	}
	code, stdout, stderr := callAPI(t, handler, "entry", id)
	if code != 0 || stderr != "" {
		t.Fatalf("code %d, %q", code, stderr)
	}
	for _, want := range []string{
		`id +` + id, `status +ok`, `repository +dscape/hello-api`, `message +Say hello`, `url +http://hello.localhost`, `note +A note`,
		`upload +ok +1 +12.3s +Built`, `added 1 package`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(stdout) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
	code, stdout, _ = callAPI(t, handler, "entry", id, "--output", "json")
	if code != 0 || !strings.Contains(stdout, `"seq": "3-0"`) || !strings.Contains(stdout, `"output": "added 1 package\n"`) {
		t.Errorf("code %d, %s", code, stdout)
	}
}

// An id may be abbreviated if that fits one entry alone.
func TestEntryByPrefix(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/1/status/dscape/changes/" + id:
			_, _ = io.WriteString(w, change(3, "ok", ""))
		case "/1/status/dscape/webhooks":
			w.Header().Set("X-Total-Count", "2")
			_, _ = io.WriteString(w, "["+entry("ok", "")+","+strings.Replace(entry("error", ""), id, "0123456789ffffffffffffffffffffff", 1)+"]")
		default:
			t.Errorf("got %s", r.URL)
		}
	}
	if code, stdout, stderr := callAPI(t, handler, "entry", "0123456789ab"); code != 0 || !strings.Contains(stdout, id) {
		t.Errorf("got code %d, %q and %q", code, stdout, stderr)
	}
	for prefix, want := range map[string]string{
		"0123456789": "0123456789 is the beginning of 2 ids; write more of it:\n  " + id + " hello ok\n  0123456789ffffffffffffffffffffff hello error\n",
		"abcd":       "no entry begins with abcd, of the last 2 entries: see `webhooks status`\n",
	} {
		if code, stdout, stderr := callAPI(t, handler, "cancel", prefix); code != 1 || stdout != "" || stderr != "webhooks: "+want {
			t.Errorf("%s: got code %d, %q and %q", prefix, code, stdout, stderr)
		}
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := callAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/1/status/dscape/changes/"+id+"/release" || r.Header.Get("Prefer") != "wait=60" {
			t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
		}
		_, _ = io.WriteString(w, change(3, "pending", ""))
	}, "release", id, "--wait", "1m")
	if code != 0 || stdout != id+" pending\n" || stderr != "" {
		t.Errorf("code %d, %q and %q", code, stdout, stderr)
	}
}

func TestRedeliverAndCancel(t *testing.T) {
	t.Parallel()
	path := "/1/status/dscape/changes/" + id
	code, stdout, stderr := callAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != path+"/redeliver" || r.Header.Get("Prefer") != "wait=60" {
			t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
		}
		_, _ = io.WriteString(w, change(3, "ok", ""))
	}, "redeliver", id, "--wait", "1m")
	if code != 0 || stdout != id+" ok\n" || stderr != "" {
		t.Errorf("redeliver: code %d, %q and %q", code, stdout, stderr)
	}
	code, stdout, stderr = callAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodDelete || r.URL.Path != path {
			t.Errorf("got %s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, change(3, "skipped", ""))
	}, "cancel", id)
	if code != 0 || stdout != id+" skipped\n" || stderr != "" {
		t.Errorf("cancel: code %d, %q and %q", code, stdout, stderr)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	connections := 0
	handler := func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if connections++; connections%2 == 1 {
			if query.Get("since") != "0" || query.Get("app") != "hello" || query.Get("include_docs") != "true" {
				t.Errorf("got %s", r.URL)
			}
			_, _ = io.WriteString(w, change(1, "pending", "")+change(2, "pending", `,"output":"one\n"`))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		if query.Get("since") != "2-0" {
			t.Errorf("got %s", r.URL)
		}
		_, _ = io.WriteString(w, change(3, "pending", `,"output":"one\ntwo\u001b[1m\n","steps":[{"name":"upload","state":"running"}]`)+
			change(4, "ok", `,"output":"one\ntwo\u001b[1m\n","url":"http://hello.localhost","steps":[{"name":"start","state":"ok","duration_ms":250}]`))
	}
	code, stdout, stderr := callAPI(t, handler, "tail", "hello", "--since", "0", "--once")
	want := `^\d\d:\d\d:05 hello +pending\n +\| one\n +\| two\n\d\d:\d\d:05 hello +pending  upload running\n\d\d:\d\d:05 hello +ok +start ok 250ms +http://hello.localhost\n$`
	if code != 0 || !regexp.MustCompile(want).MatchString(stdout) || !strings.HasPrefix(stderr, "connection lost: ") {
		t.Errorf("code %d, %q and\n%s", code, stderr, stdout)
	}
	code, stdout, _ = callAPI(t, handler, "tail", "hello", "--since", "0", "--once", "--output", "json")
	if code != 0 || strings.Count(stdout, "\n") != 4 || !strings.HasPrefix(stdout, `{"seq":"1-0",`) {
		t.Errorf("code %d, %s", code, stdout)
	}
}

func TestAPIFailures(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		args    []string
		code    int
		says    string
	}{
		"refused":     {answer(401, `{"error":"status:auth:unauthorized","reason":"No."}`), []string{"status"}, 1, "refuses the credentials of dscape: check the user name"},
		"not found":   {answer(404, `{"error":"status:not_found","reason":"No such entry."}`), []string{"entry", id}, 1, "No such entry. (status:not_found)"},
		"a proxy":     {answer(403, "<html>"), []string{"tail"}, 1, "the service answered with status 403"},
		"no server":   {nil, []string{"status", "--url", "http://127.0.0.1:1"}, 1, "is there a webhooks service at http://127.0.0.1:1? Set another URL by --url"},
		"no id":       {nil, []string{"entry", "x"}, 2, `invalid id of an entry "x"`},
		"no app name": {nil, []string{"tail", "X"}, 2, `invalid app name "X"`},
		"two apps":    {nil, []string{"status", "a", "b"}, 2, "takes at most one app"},
		"no URL":      {nil, []string{"status", "--url", "localhost:8080"}, 2, "invalid URL of the webhooks service in --url: want http(s)://host[:port][/path]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := callAPI(t, test.handler, test.args...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.says) {
				t.Errorf("code %d, %q and %q; want %d and %q", code, stdout, stderr, test.code, test.says)
			}
		})
	}
}
