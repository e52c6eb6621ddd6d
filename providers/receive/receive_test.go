package receive

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/bitbucket"
	"github.com/nodejitsu/webhooks/providers/gitea"
	"github.com/nodejitsu/webhooks/providers/github"
)

const (
	commit = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
	push   = `{"ref":"refs/heads/main","after":"` + commit + `","repository":{"name":"n","owner":{"login":"o"}},"commits":[],"extra":{"a":1}}`
)

func sign(key, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// request is a request as GitHub makes it.
func request(body string, header ...string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", "d1")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestReceive(t *testing.T) {
	t.Parallel()
	form := "payload=" + url.QueryEscape(push)
	for why, r := range map[string]*http.Request{
		"JSON":          request(push, "X-Hub-Signature-256", sign("key", push)),
		"a form":        request(form, "X-Hub-Signature-256", sign("key", form), "Content-Type", "application/x-www-form-urlencoded"),
		"another type":  request(push, "X-Hub-Signature-256", sign("key", push), "Content-Type", "text/plain"),
		"no encoding":   request(push, "X-Hub-Signature-256", sign("key", push), "Content-Encoding", "identity"),
		"the other key": request(push, "X-Hub-Signature-256", sign("second", push)),
	} {
		d, err := New(github.Provider{}, core.NewSecret("key"), core.NewSecret("second")).Receive(httptest.NewRecorder(), r)
		if err != nil || d.ID != "d1" || d.Signature != core.SignatureValid || d.Event.Commit.ID != commit || string(d.Payload) != push {
			t.Errorf("%s: %+v, %v", why, d, err)
		}
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	signed := func(body string, header ...string) *http.Request {
		return request(body, append([]string{"X-Hub-Signature-256", sign("key", body)}, header...)...)
	}
	get := signed(push)
	get.Method = http.MethodGet
	other := signed(push)
	other.Header.Del("X-GitHub-Event")
	other.Body = http.NoBody
	unknown := signed(`{"hello":1}`)
	unknown.Header.Del("X-GitHub-Event")
	chunked := signed(strings.Repeat(" ", 2000) + push)
	chunked.ContentLength = -1
	torn := signed(push)
	torn.Body = http.MaxBytesReader(nil, tornBody{}, 1<<20)
	for _, c := range []struct {
		why    string
		r      *http.Request
		keys   []core.Secret
		code   core.Code
		status int
	}{
		{"a GET", get, []core.Secret{core.NewSecret("key")}, core.CodeHTTPMethodNotAllowed, 405},
		{"an encoding", signed(push, "Content-Encoding", "gzip"), []core.Secret{core.NewSecret("key")}, core.CodePayloadEncoding, 415},
		{"nothing", other, []core.Secret{core.NewSecret("key")}, core.CodeNoPayload, 400},
		{"a body that ends early", torn, []core.Secret{core.NewSecret("key")}, core.CodeNoPayload, 400},
		{"too large", signed(strings.Repeat(" ", 2000) + push), []core.Secret{core.NewSecret("key")}, core.CodePayloadTooLarge, 413},
		{"too large, of unknown length", chunked, []core.Secret{core.NewSecret("key")}, core.CodePayloadTooLarge, 413},
		{"no sender that is known", unknown, []core.Secret{core.NewSecret("key")}, core.CodeProviderNotSupported, 400},
		{"neither JSON nor a form", signed("hello"), []core.Secret{core.NewSecret("key")}, core.CodeProviderNotSupported, 400},
		{"signed and not a push", signed(`{}`), []core.Secret{core.NewSecret("key")}, core.CodeProviderNotSupported, 400},
		{"not signed", request(push), []core.Secret{core.NewSecret("key")}, core.CodeBadSignature, 401},
		{"signed by another key", signed(push), []core.Secret{core.NewSecret("x")}, core.CodeBadSignature, 401},
		{"no key", signed(push), nil, core.CodeBadSignature, 401},
		{"an empty key", request(push, "X-Hub-Signature-256", sign("", push)), []core.Secret{{}}, core.CodeBadSignature, 401},
		{"SHA-1", request(push, "X-Hub-Signature", "sha1="+strings.Repeat("0", 40)), []core.Secret{core.NewSecret("key")}, core.CodeBadSignature, 401},
	} {
		receiver := New(github.Provider{}, c.keys...)
		receiver.MaxBody = 1000
		w := httptest.NewRecorder()
		receiver.Handler(func(context.Context, core.Event) error {
			t.Errorf("%s: the event was received", c.why)
			return nil
		}).ServeHTTP(w, c.r)
		var answer struct{ Error, Reason string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != c.status || answer.Error != string(c.code) || answer.Reason == "" {
			t.Errorf("%s: %d %s", c.why, w.Code, w.Body)
		}
		if (w.Header().Get("Allow") == "POST") != (c.status == 405) {
			t.Errorf("%s: %v", c.why, w.Header())
		}
	}
}

// tornBody is a body whose connection breaks.
type tornBody struct{}

func (tornBody) Read([]byte) (int, error) { return 0, errors.New("connection reset") }
func (tornBody) Close() error             { return nil }

func TestUnsigned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why  string
		r    *http.Request
		keys []core.Secret
		want core.Signature // "": refused
	}{
		{"not signed", request(push), nil, core.SignatureNone},
		{"not signed, and there is a key", request(push), []core.Secret{core.NewSecret("key")}, core.SignatureNone},
		{"signed, and there is no key", request(push, "X-Hub-Signature-256", sign("key", push)), nil, core.SignatureUnchecked},
		{"signed", request(push, "X-Hub-Signature-256", sign("key", push)), []core.Secret{core.NewSecret("key")}, core.SignatureValid},
		{"wrongly signed", request(push, "X-Hub-Signature-256", sign("x", push)), []core.Secret{core.NewSecret("key")}, ""},
	} {
		receiver := New(github.Provider{}, c.keys...)
		receiver.Unsigned = true
		d, err := receiver.Receive(httptest.NewRecorder(), c.r)
		if (err != nil) != (c.want == "") || d.Signature != c.want {
			t.Errorf("%s: %s, %v", c.why, d.Signature, err)
		}
	}
}

// The key of one sender verifies no delivery of another.
func TestKeysAreOfOneSender(t *testing.T) {
	t.Parallel()
	receiver := &Receiver{Senders: []Sender{{gitea.Provider{}, []core.Secret{core.NewSecret("gitea")}}, {github.Provider{}, []core.Secret{core.NewSecret("github")}}}}
	for key, want := range map[string]bool{"github": true, "gitea": false} {
		_, err := receiver.Receive(httptest.NewRecorder(), request(push, "X-Hub-Signature-256", sign(key, push)))
		if (err == nil) != want {
			t.Errorf("GitHub's delivery with the key of %s: %v", key, err)
		}
	}
	_, err := receiver.Receive(httptest.NewRecorder(), request(push, "X-Hub-Signature-256", sign("gitea", push), "X-Gitea-Event", "push"))
	if err != nil {
		t.Errorf("Gitea's delivery: %v", err)
	}
}

func TestHandlerReceivesEveryEventOfADelivery(t *testing.T) {
	t.Parallel()
	change := func(name string) string {
		return `{"new":{"type":"branch","name":"` + name + `","target":{"hash":"` + commit + `"}}}`
	}
	body := `{"push":{"changes":[` + change("a") + `,` + change("b") + `,` + change("c") + `]},"repository":{"full_name":"o/n"}}`
	for fails, want := range map[string]struct {
		branches string
		status   int
	}{"": {"a b c", 204}, "b": {"a b", 500}} {
		var branches []string
		w := httptest.NewRecorder()
		New(bitbucket.Provider{}, core.NewSecret("key")).Handler(func(_ context.Context, e core.Event) error {
			branches = append(branches, e.Branch)
			if e.Branch == fails {
				return errors.New("the disk of db7.internal is full")
			}
			return nil
		}).ServeHTTP(w, request(body, "X-Event-Key", "repo:push", "X-Hub-Signature", sign("key", body)))
		if got := strings.Join(branches, " "); got != want.branches || w.Code != want.status || strings.Contains(w.Body.String(), "db7") {
			t.Errorf("failing at %q: %q, %d %s", fails, got, w.Code, w.Body)
		}
	}
}

func TestHandlerAnswersWithTheErrorOfTheProgram(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	New(github.Provider{}, core.NewSecret("key")).Handler(func(context.Context, core.Event) error {
		return core.NewError(core.CodeProviderNotSupported, "Only <main> is deployed here", nil)
	}).ServeHTTP(w, request(push, "X-Hub-Signature-256", sign("key", push)))
	if want := `{"error":"deploy:provider:not_supported","reason":"Only <main> is deployed here"}` + "\n"; w.Code != 400 || w.Body.String() != want {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
