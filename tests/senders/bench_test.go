package senders

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drone/go-scm/scm"
	scmbitbucket "github.com/drone/go-scm/scm/driver/bitbucket"
	scmgitea "github.com/drone/go-scm/scm/driver/gitea"
	scmgithub "github.com/drone/go-scm/scm/driver/github"
	scmgitlab "github.com/drone/go-scm/scm/driver/gitlab"
	playbitbucket "github.com/go-playground/webhooks/v6/bitbucket"
	playgitea "github.com/go-playground/webhooks/v6/gitea"
	playgithub "github.com/go-playground/webhooks/v6/github"
	playgitlab "github.com/go-playground/webhooks/v6/gitlab"
	gogithub "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/bitbucket"
	"github.com/nodejitsu/webhooks/providers/gitea"
	"github.com/nodejitsu/webhooks/providers/github"
	"github.com/nodejitsu/webhooks/providers/gitlab"
	"github.com/nodejitsu/webhooks/providers/receive"
	"github.com/nodejitsu/webhooks/tests/internal/publishedtest"
)

const key = "It's a Secret to Everybody"

// contender reads a request, verifies it and parses its payload.
type contender struct {
	name string
	read func(*http.Request) error
}

func (c contender) bench(b *testing.B, payload []byte, request func() *http.Request) {
	b.Helper()
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.read(request()); err != nil {
			b.Fatal(err)
		}
	}
}

// ours returns the receiver of this repository.
func ours(p receive.Provider) contender {
	r := receive.New(p, core.NewSecret(key))
	w := httptest.NewRecorder()
	return contender{"webhooks", func(req *http.Request) error {
		_, err := r.Receive(w, req)
		return err
	}}
}

// goSCM returns go-scm's client.
func goSCM(c *scm.Client) contender {
	return contender{"go-scm", func(req *http.Request) error {
		_, err := c.Webhooks.Parse(req, func(scm.Webhook) (string, error) { return key, nil })
		return err
	}}
}

// goGitHub returns go-github's two functions.
func goGitHub() contender {
	return contender{"go-github", func(r *http.Request) error {
		payload, err := gogithub.ValidatePayload(r, []byte(key))
		if err == nil {
			_, err = gogithub.ParseWebHook(gogithub.WebHookType(r), payload)
		}
		return err
	}}
}

// play returns go-playground's hook.
func play[H any](tb testing.TB, hook H, err error, parse func(H, *http.Request) (any, error)) contender {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	return contender{"go-playground", func(req *http.Request) error {
		_, err := parse(hook, req)
		return err
	}}
}

// floor reads the body and verifies its HMAC with header, if that is not empty: what
// no receiver can leave out.
func floor(header string) contender {
	return contender{"floor", func(req *http.Request) error {
		body := make([]byte, req.ContentLength)
		if _, err := io.ReadFull(req.Body, body); err != nil || header == "" {
			return err
		}
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		got, err := hex.DecodeString(strings.TrimPrefix(req.Header.Get(header), "sha256="))
		if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
			return errors.New("invalid signature")
		}
		return nil
	}}
}

// race is a push of a sender and who reads it.
type race struct {
	sender     string
	commits    []string // path of the list of commits in the payload
	header     func(signature string) http.Header
	contenders []contender
}

func races(tb testing.TB) []race {
	tb.Helper()
	playGitHub, errGitHub := playgithub.New(playgithub.Options.Secret(key))
	playGitLab, errGitLab := playgitlab.New(playgitlab.Options.Secret(key))
	playGitea, errGitea := playgitea.New(playgitea.Options.Secret(key))
	playBitbucket, errBitbucket := playbitbucket.New()
	scmClient, err := scmgitea.New("https://try.gitea.io")
	if err != nil {
		tb.Fatal(err)
	}
	return []race{
		{
			"github",
			[]string{"commits"},
			func(signature string) http.Header {
				return http.Header{
					"X-Github-Event": {"push"}, "X-Hub-Signature-256": {"sha256=" + signature}, "X-Hub-Signature": {"sha256=" + signature},
					"Content-Type": {"application/json"},
				}
			},
			[]contender{
				ours(github.Provider{}),
				play(tb, playGitHub, errGitHub, func(h *playgithub.Webhook, r *http.Request) (any, error) { return h.Parse(r, playgithub.PushEvent) }),
				goSCM(scmgithub.NewDefault()),
				goGitHub(),
				floor("X-Hub-Signature-256"),
			},
		},
		{
			"gitlab",
			[]string{"commits"},
			func(string) http.Header { return http.Header{"X-Gitlab-Event": {"Push Hook"}, "X-Gitlab-Token": {key}} },
			[]contender{
				ours(gitlab.Provider{}),
				play(tb, playGitLab, errGitLab, func(h *playgitlab.Webhook, r *http.Request) (any, error) { return h.Parse(r, playgitlab.PushEvents) }),
				goSCM(scmgitlab.NewDefault()),
				floor(""), // a token in a header
			},
		},
		{
			"gitea",
			[]string{"commits"},
			func(signature string) http.Header {
				return http.Header{"X-Gitea-Event": {"push"}, "X-Gitea-Signature": {signature}}
			},
			[]contender{
				ours(gitea.Provider{}),
				play(tb, playGitea, errGitea, func(h *playgitea.Webhook, r *http.Request) (any, error) { return h.Parse(r, playgitea.PushEvent) }),
				goSCM(scmClient),
				floor("X-Gitea-Signature"),
			},
		},
		{
			// The others verify no signature of Bitbucket.
			"bitbucket",
			[]string{"push", "changes", "0", "commits"},
			func(signature string) http.Header {
				return http.Header{"X-Event-Key": {"repo:push"}, "X-Hub-Signature": {"sha256=" + signature}}
			},
			[]contender{
				ours(bitbucket.Provider{}),
				play(tb, playBitbucket, errBitbucket, func(h *playbitbucket.Webhook, r *http.Request) (any, error) {
					return h.Parse(r, playbitbucket.RepoPushEvent)
				}),
				goSCM(scmbitbucket.NewDefault()),
				floor("X-Hub-Signature"),
			},
		},
	}
}

// push returns the push of a sender that go-scm publishes, its list of commits
// repeated until the payload has at least size bytes.
func push(tb testing.TB, r race, size int) []byte {
	tb.Helper()
	payload, err := os.ReadFile(filepath.Join(publishedtest.ModuleDir(tb, publishedtest.ScmModule), "scm", "driver", r.sender, "testdata", "webhooks", "push.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var body any
	if err := json.Unmarshal(payload, &body); err != nil {
		tb.Fatal(err)
	}
	at := body
	for _, name := range r.commits[:len(r.commits)-1] {
		if list, is := at.([]any); is {
			at = list[0]
		} else {
			at = at.(map[string]any)[name]
		}
	}
	object, last := at.(map[string]any), r.commits[len(r.commits)-1]
	one := object[last].([]any)[0]
	text, err := json.Marshal(one)
	if err != nil {
		tb.Fatal(err)
	}
	for range (size - len(payload)) / len(text) {
		object[last] = append(object[last].([]any), one)
	}
	if payload, err = json.Marshal(body); err != nil {
		tb.Fatal(err)
	}
	return payload
}

// request returns a function that makes a signed request of the payload.
func (r race) request(payload []byte) func() *http.Request {
	return request(payload, r.header(signature(payload)))
}

// signature returns the HMAC of a payload.
func signature(payload []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(payload)
	return hex.EncodeToString(mac.Sum(nil))
}

// request returns a function that makes a request of a body.
func request(payload []byte, header http.Header) func() *http.Request {
	base := httptest.NewRequest(http.MethodPost, "/?secret="+url.QueryEscape(key), nil) //nolint:noctx // it is shared by all iterations
	return func() *http.Request {
		req := *base
		req.Header, req.ContentLength = header, int64(len(payload))
		req.Body = io.NopCloser(bytes.NewReader(payload))
		return &req
	}
}

// BenchmarkPush compares what receiving a push costs: reading the request, verifying
// it and parsing its payload.
func BenchmarkPush(b *testing.B) {
	for _, r := range races(b) {
		for _, size := range []struct {
			name  string
			bytes int
		}{{"small", 0}, {"1MB", 1 << 20}} {
			payload := push(b, r, size.bytes)
			request := r.request(payload)
			for _, c := range r.contenders {
				b.Run(r.sender+"/"+size.name+"/"+c.name, func(b *testing.B) { c.bench(b, payload, request) })
			}
		}
	}
}

// Every contender reads the pushes that BenchmarkPush measures.
func TestContenders(t *testing.T) {
	t.Parallel()
	for _, r := range races(t) {
		for _, size := range []int{0, 1 << 20} {
			request := r.request(push(t, r, size))
			for _, c := range r.contenders {
				if err := c.read(request()); err != nil {
					t.Errorf("%s of %d bytes by %s: %v", r.sender, size, c.name, err)
				}
			}
		}
	}
	if d, err := receive.New(github.Provider{}, core.NewSecret(key)).Receive(httptest.NewRecorder(), races(t)[0].request(push(t, races(t)[0], 0))()); err != nil || d.Signature != core.SignatureValid {
		t.Errorf("%s, %v", d.Signature, err)
	}
}
