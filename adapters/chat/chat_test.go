package chat_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/chat"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// receiver is a chat service.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string // method, path, credential and body
	status   int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		credential := req.Header.Get("Authorization") + req.Header.Get("X-Gotify-Key")
		r.requests = append(r.requests, strings.TrimSpace(req.Method+" "+req.URL.RequestURI()+" "+credential+" "+string(body)))
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, "you sent "+req.URL.RequestURI()+" "+credential+" "+string(body))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) host() string { return strings.TrimPrefix(r.URL, "http://") }

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// taken returns the requests since the last call.
func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.requests = nil }()
	return r.requests
}

func entry(status core.Status) core.Entry {
	e := core.Entry{ID: "1", Revision: 2, User: "dscape", App: "hello", Status: status, Branch: "main", URL: "https://hello.example.com"}
	e.Commit.ID, e.Commit.Message, e.Commit.Author.Name = "3f2a9c1d77aa", "Say hello\n\nMore", "Ana"
	if status == core.StatusError {
		e.URL, e.Error = "", &core.EntryError{Code: core.CodeStartApp, Reason: "It exited with code 1."}
	}
	return e
}

func TestForms(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	c := chat.New(chat.Options{PrivateHosts: []string{"127.0.0.1"}})
	const text = "a < b & @all"
	for address, want := range map[string]string{
		"slack+http://HOST/services/T/B/X":                          `POST /services/T/B/X  {"text":"a &lt; b &amp; @all"}`,
		"mattermost+http://HOST/hooks/x":                            `POST /hooks/x  {"text":"a < b & @\u200ball"}`,
		"rocketchat+http://HOST/hooks/x/y":                          `POST /hooks/x/y  {"text":"a < b & @\u200ball"}`,
		"googlechat+http://HOST/v1/spaces/x/messages?key=k&token=s": `POST /v1/spaces/x/messages?key=k&token=s  {"text":"a <\u200b b & @all"}`,
		"discord+http://HOST/api/webhooks/1/x":                      `POST /api/webhooks/1/x  {"allowed_mentions":{"parse":[]},"content":"a < b & @all"}`,
		"telegram+http://1:AA@HOST/-100":                            `POST /bot1:AA/sendMessage  {"chat_id":"-100","link_preview_options":{"is_disabled":true},"text":"a < b & @all"}`,
		"matrix+http://HOST/!r:x.org?token=s":                       `PUT /_matrix/client/v3/rooms/%21r:x.org/send/m.room.message/u1 Bearer s {"body":"a < b & @all","m.mentions":{},"msgtype":"m.text"}`,
		"zulip+http://bot%40x.org:s@HOST/?channel=ops":              `POST /api/v1/messages Basic Ym90QHgub3JnOnM= content=a+%3C+b+%26+%40%E2%80%8Ball&to=ops&topic=deployments&type=stream`,
		"zulip+http://b:s@HOST/?channel=ops&topic=hi":               `POST /api/v1/messages Basic Yjpz content=a+%3C+b+%26+%40%E2%80%8Ball&to=ops&topic=hi&type=stream`,
		"ntfy+http://HOST/topic?token=s":                            `POST /topic Bearer s a < b & @all`,
		"ntfy+http://HOST/topic":                                    `POST /topic  a < b & @all`,
		"gotify+http://HOST/?token=s":                               `POST /message s {"message":"a < b & @all"}`,
		"pushover+http://HOST/u?token=s":                            `POST /1/messages.json  message=a+%3C+b+%26+%40all&token=s&user=u`,
	} {
		if err := c.Send(t.Context(), core.NewSecret(strings.Replace(address, "HOST", r.host(), 1)), text, "u1"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if got := r.taken(); len(got) != 1 || unescaped(got[0]) != want {
			t.Errorf("%s:\ngot  %q\nwant %q", address, got, want)
		}
	}
	if err := c.Send(t.Context(), core.NewSecret("teams+http://"+r.host()+"/x"), "hi\nthere", "u1"); err != nil {
		t.Error(err)
	}
	if got := r.taken(); len(got) != 1 || !strings.Contains(got[0], `"text":"hi"`) || !strings.Contains(got[0], `"text":"there"`) ||
		!json.Valid([]byte(got[0][strings.IndexByte(got[0], '{'):])) {
		t.Errorf("teams: got %q", got)
	}
}

// unescaped returns JSON without the escapes that only HTML needs, and with an escape
// for what is not seen.
func unescaped(text string) string {
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">", "\u200b", `\u200b`).Replace(text)
}

// Messages are no longer than what the services accept.
func TestLength(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	c := chat.New(chat.Options{PrivateHosts: []string{"127.0.0.1"}})
	for address, most := range map[string]int{"ntfy+http://HOST/topic": 2000, "pushover+http://HOST/u?token=s": 1024} {
		if err := c.Send(t.Context(), core.NewSecret(strings.Replace(address, "HOST", r.host(), 1)), strings.Repeat("é", 3000), "u1"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		got := strings.Join(r.taken(), "")
		if text, err := url.QueryUnescape(got); err != nil || strings.Count(text, "é") < most/3 || strings.Count(text, "é") > most || !strings.Contains(text, "é…") {
			t.Errorf("%s: got %d characters, %v", address, strings.Count(text, "é"), err)
		}
	}
}

func TestInvalidAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "https://hooks.slack.com/x", "slack://x", "irc+https://x/y", "slack+ftp://x/y", "telegram://chat", "matrix+https://x/room",
		"gotify+https://x/", "pushover+https://x/u", "pushover+https://x/?token=s", "zulip+https://x/?channel=c", "zulip+https://b:s@x/", "slack+https://", "discord+https://%zz",
	} {
		err := chat.New(chat.Options{}).Check(core.NewSecret(address))
		if err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%q: got %v", address, err)
		}
	}
	if err := chat.New(chat.Options{}).Check(core.NewSecret("telegram://1:AA@-100")); err != nil {
		t.Error(err)
	}
}

// A user's address must be public, and no error repeats the token in it.
func TestSecurity(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	address := core.NewSecret("slack+http://" + r.host() + "/services/canary")
	if err := chat.New(chat.Options{}).Send(t.Context(), address, "hi", "u"); err == nil || len(r.taken()) != 0 {
		t.Errorf("a private address: got %v", err)
	}
	c := chat.New(chat.Options{PrivateHosts: []string{"127.0.0.1"}})
	for status, temporary := range map[int]bool{404: false, 500: true, 429: true, 302: false} {
		r.answers(status)
		err := c.Send(t.Context(), address, "hi", "u")
		if _, again := core.Retryable(err); err == nil || again != temporary || strings.Contains(err.Error(), "canary") {
			t.Errorf("status %d: got %v", status, err)
		}
	}
	secret := []string{
		"slack+http://HOST/services/canary", "googlechat+http://HOST/x?key=canary-1&token=canary-2", "telegram+http://1:canary@HOST/-100",
		"matrix+http://HOST/!r:x.org?token=canary", "zulip+http://b:canary@HOST/?channel=c", "ntfy+http://HOST/x?token=canary",
		"gotify+http://HOST/?token=canary", "pushover+http://HOST/canary-user?token=canary-token",
	}
	echoed := func(why string) {
		for _, address := range secret {
			err := c.Send(t.Context(), core.NewSecret(strings.Replace(address, "HOST", r.host(), 1)), "hi", "u")
			if err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %s: got %v", why, address, err)
			}
		}
	}
	r.answers(http.StatusBadRequest)
	echoed("a refusal that repeats the request")
	r.Close()
	echoed("nothing listens")
}

// Each service gets the outcomes that it is for, once.
func TestNotify(t *testing.T) {
	t.Parallel()
	r, down := newReceiver(t), newReceiver(t)
	former := core.Status("")
	token := func(id, app, on, host string) core.ThirdPartyToken {
		return core.ThirdPartyToken{
			ID: id, Provider: core.TokenNotification, App: app, Scopes: []string{on}, Token: core.NewSecret("ntfy+http://" + host + "/" + id),
		}
	}
	tokens := []core.ThirdPartyToken{
		token("all", core.AnyApp, "each", r.host()), token("other", "other", "each", r.host()), token("turns", "hello", auth.OnChange, r.host()),
		{ID: "secret", Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: core.NewSecret("x")},
	}
	c := chat.New(chat.Options{
		Tokens:       func(context.Context, string) ([]core.ThirdPartyToken, error) { return tokens, nil },
		Former:       func(context.Context, core.Entry) (core.Status, error) { return former, nil },
		Link:         func(e core.Entry) string { return "https://example.com/-/entries/" + e.ID },
		PrivateHosts: []string{"127.0.0.1"},
	})
	for _, test := range []struct {
		former, now core.Status
		want        []string // ids of services
	}{
		{"", core.StatusOK, []string{"all"}},
		{"", core.StatusError, []string{"all", "turns"}},
		{core.StatusError, core.StatusError, []string{"all"}},
		{core.StatusError, core.StatusOK, []string{"all", "turns"}},
		{core.StatusOK, core.StatusError, []string{"all", "turns"}},
		{core.StatusOK, core.StatusIgnored, nil},
		{core.StatusOK, core.StatusSkipped, nil},
	} {
		former = test.former
		if err := c.Notify(t.Context(), entry(test.now)); err != nil {
			t.Error(err)
		}
		var got []string
		for _, request := range r.taken() {
			got = append(got, strings.TrimPrefix(strings.Fields(request)[1], "/"))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s after %q: got %v, want %v", test.now, test.former, got, test.want)
		}
	}

	// After a failure, only the one that failed gets it again.
	tokens = append(tokens[:1], token("down", core.AnyApp, "each", down.host()))
	down.answers(http.StatusServiceUnavailable)
	err := c.Notify(t.Context(), entry(core.StatusError))
	if _, again := core.Retryable(err); !again {
		t.Fatalf("got %v, want a temporary error", err)
	}
	want := "POST /all  ❌ Could not deploy hello 3f2a9c1 of main\nSay hello (Ana)\nIt exited with code 1.\nhttps://example.com/-/entries/1"
	if got := r.taken(); len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	down.answers(http.StatusOK)
	if err := c.Notify(t.Context(), entry(core.StatusError)); err != nil || len(r.taken()) != 0 || len(down.taken()) != 2 {
		t.Errorf("again: got %v", err)
	}
}
