package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

func TestTextRemovesEachFormOfACredential(t *testing.T) {
	t.Parallel()
	for _, secret := range []core.Secret{
		core.NewSecret("ghp_16C7e42F292c6912E7710c838347Ae178B4a"), core.NewSecret("correct horse"), core.NewSecret(`p&s<'"w\ö/rd+=%`), core.NewSecret("line one\nline two"),
	} {
		s := secret.Reveal()
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		forms := map[string]string{
			"as it is":             s,
			"in JSON":              string(encoded[1 : len(encoded)-1]),
			"in HTML":              html.EscapeString(s),
			"in Go":                strings.Trim(fmt.Sprintf("%q", s), `"`),
			"in a query":           url.QueryEscape(s),
			"in a path":            url.PathEscape(s),
			"in lower-case escape": strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d", "%3C", "%3c", "%5C", "%5c", "%C3", "%c3", "%B6", "%b6", "%0A", "%0a").Replace(url.QueryEscape(s)),
			"in userinfo":          strings.TrimPrefix(url.UserPassword("", s).String(), ":"),
		}
		for _, user := range []string{"", "u", "me", "dscape"} {
			for name, encoding := range map[string]*base64.Encoding{
				"Base64": base64.StdEncoding, "raw Base64": base64.RawStdEncoding,
				"URL Base64": base64.URLEncoding, "raw URL Base64": base64.RawURLEncoding,
			} {
				forms["in "+name+" after "+user] = encoding.EncodeToString([]byte(user + ":" + s))
				forms["in "+name+" amid "+user] = encoding.EncodeToString([]byte(user + s + "\x00"))
			}
		}
		r := redact.New(core.Secret{}, secret)
		for way, form := range forms {
			got := r.Text("refused: <" + form + "> and <" + form + ">.")
			if want := "refused: <***> and <***>."; got != want {
				t.Errorf("%s %s: got %q, want %q", s, way, got, want)
			}
		}
	}
}

func TestTextKeepsEverythingElse(t *testing.T) {
	t.Parallel()
	r := redact.New(core.NewSecret("ghp_1234567890"), core.Secret{}, core.NewSecret("abc"))
	for _, text := range []string{"", "Not Found", "abc", "ghp_123456789", base64.StdEncoding.EncodeToString([]byte("abc:def")), "\xff"} {
		if got := r.Text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := (*redact.Redactor)(nil).Text("x"); got != "x" || redact.New() != nil || redact.New(core.NewSecret("abc")) != nil {
		t.Errorf("without credentials: %q", got)
	}
}

func TestTextPrefersTheLongerCredential(t *testing.T) {
	t.Parallel()
	r := redact.New(core.NewSecret("token"), core.NewSecret("token-and-more"))
	if got := r.Text("token-and-more token"); got != "*** ***" {
		t.Errorf("got %q", got)
	}
}

func TestErrorKeepsWhatItWraps(t *testing.T) {
	t.Parallel()
	r := redact.New(core.NewSecret("ghp_1234567890"))
	plain := errors.New("not found")
	if got := r.Error(plain); got != plain || r.Error(nil) != nil { //nolint:errorlint // the very same
		t.Errorf("an error without a credential became %v", got)
	}
	err := r.Error(core.Transient(fmt.Errorf("Bearer ghp_1234567890: %w", fs.ErrNotExist), 7))
	after, retryable := core.Retryable(err)
	if err.Error() != "Bearer ***: file does not exist" || !errors.Is(err, fs.ErrNotExist) || !retryable || after != 7 {
		t.Errorf("got %v, %v, %v", err, after, retryable)
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"NPM_TOKEN": true, "token": true, "X-Amz-Signature": true, "api_key": true, "DB_PASS": true, "ref": false, "PATH": false, "KEYBOARD": false, "": false,
	} {
		if got := redact.Named(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

func TestVariable(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]bool{
		"NPM_TOKEN=x": true, "DATABASE_URL=postgres://app:hunter2@db/app": true, "DATABASE_URL=postgres://app:hunter%@db": true,
		"DATABASE_URL=postgres://app@db/app": false, "GREETING=hi": false, "EMPTY=": false,
	} {
		name, value, _ := strings.Cut(variable, "=")
		if got := redact.Variable(name, value); got != want {
			t.Errorf("%q: got %v", variable, got)
		}
	}
}

func TestWriterFindsACredentialBetweenTwoWrites(t *testing.T) {
	t.Parallel()
	const text = "one ghp_1234567890\ntwo\nthree ghp_1234567890"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := redact.NewWriter(&out, redact.New(core.NewSecret("ghp_1234567890")))
		for rest := []byte(text); len(rest) > 0; {
			n, err := w.Write(rest[:min(size, len(rest))])
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if before, ended := out.String(), "one ***\ntwo\n"; size < len(text) && before != ended {
			t.Errorf("in parts of %d: got %q before Flush", size, before)
		}
		if err := w.Flush(); err != nil || out.String() != "one ***\ntwo\nthree ***" {
			t.Errorf("in parts of %d: got %q, %v", size, out.String(), err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func TestWriterReturnsTheErrorOfWriting(t *testing.T) {
	t.Parallel()
	w := redact.NewWriter(full{}, redact.New(core.NewSecret("ghp_1234567890")))
	if _, err := w.Write([]byte("no newline")); err != nil {
		t.Error(err)
	}
	if err := w.Flush(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Flush returns %v", err)
	}
	if _, err := w.Write([]byte("a line\n")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Write returns %v", err)
	}
}
