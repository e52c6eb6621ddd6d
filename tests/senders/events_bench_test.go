package senders

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what Travis CI signs with
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	playbitbucket "github.com/go-playground/webhooks/v6/bitbucket"
	playgithub "github.com/go-playground/webhooks/v6/github"
	playgitlab "github.com/go-playground/webhooks/v6/gitlab"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/bitbucket"
	"github.com/nodejitsu/webhooks/providers/github"
	"github.com/nodejitsu/webhooks/providers/gitlab"
	"github.com/nodejitsu/webhooks/providers/receive"
	"github.com/nodejitsu/webhooks/providers/travis"
	"github.com/nodejitsu/webhooks/tests/internal/publishedtest"
)

// eventRace is an event other than a push, and who reads it.
type eventRace struct {
	name       string
	kind       core.EventKind
	body       []byte
	header     http.Header
	contenders []contender
}

func eventRaces(tb testing.TB) []eventRace {
	tb.Helper()
	file := func(sender, name string) []byte {
		tb.Helper()
		text, err := os.ReadFile(filepath.Join(publishedtest.ModuleDir(tb, publishedtest.PlayModule), "testdata", sender, name))
		if err != nil {
			tb.Fatal(err)
		}
		return text
	}
	playGitHub, errGitHub := playgithub.New(playgithub.Options.Secret(key))
	playGitLab, errGitLab := playgitlab.New(playgitlab.Options.Secret(key))
	playBitbucket, errBitbucket := playbitbucket.New()
	var all []eventRace
	for _, e := range []struct {
		name string
		file string
		kind core.EventKind
	}{
		{"ping", "ping.json", core.EventPing}, {"status", "status.json", core.EventBuild}, {"workflow_run", "workflow_run.json", core.EventBuild},
	} {
		body := file("github", e.file)
		all = append(all, eventRace{
			"github_" + e.name, e.kind, body,
			http.Header{
				"X-Github-Event": {e.name}, "X-Hub-Signature-256": {"sha256=" + signature(body)}, "X-Hub-Signature": {"sha256=" + signature(body)},
				"Content-Type": {"application/json"},
			},
			[]contender{
				ours(github.Provider{}),
				play(tb, playGitHub, errGitHub, func(h *playgithub.Webhook, r *http.Request) (any, error) {
					return h.Parse(r, playgithub.PingEvent, playgithub.StatusEvent, playgithub.WorkflowRunEvent)
				}),
				goGitHub(),
				floor("X-Hub-Signature-256"),
			},
		})
	}
	all = append(all, eventRace{
		"gitlab_pipeline", core.EventBuild, file("gitlab", "pipeline-event.json"),
		http.Header{"X-Gitlab-Event": {"Pipeline Hook"}, "X-Gitlab-Token": {key}},
		[]contender{
			ours(gitlab.Provider{}),
			play(tb, playGitLab, errGitLab, func(h *playgitlab.Webhook, r *http.Request) (any, error) {
				return h.Parse(r, playgitlab.PipelineEvents)
			}),
			floor(""),
		},
	})
	body := file("bitbucket", "repo-commit-status-created.json")
	all = append(all, eventRace{
		"bitbucket_status", core.EventBuild, body,
		http.Header{"X-Event-Key": {"repo:commit_status_created"}, "X-Hub-Signature": {"sha256=" + signature(body)}},
		[]contender{
			ours(bitbucket.Provider{}),
			play(tb, playBitbucket, errBitbucket, func(h *playbitbucket.Webhook, r *http.Request) (any, error) {
				return h.Parse(r, playbitbucket.RepoCommitStatusCreatedEvent)
			}),
			floor("X-Hub-Signature"),
		},
	})
	return append(all, travisRace(tb))
}

// travisRace is a notification of Travis CI, which no other library reads. The floor
// decodes the form and verifies the signature.
func travisRace(tb testing.TB) eventRace {
	tb.Helper()
	payload, err := os.ReadFile("../../providers/travis/testdata/passed.json")
	if err != nil {
		tb.Fatal(err)
	}
	payload = bytes.TrimSpace(payload)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha1.Sum(payload) //nolint:gosec // as above
	signed, err := rsa.SignPKCS1v15(nil, private, crypto.SHA1, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	receiver := receive.New(travis.Provider{}, core.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))))
	w := httptest.NewRecorder()
	return eventRace{
		"travis", core.EventBuild, []byte("payload=" + url.QueryEscape(string(payload))),
		http.Header{"Signature": {base64.StdEncoding.EncodeToString(signed)}, "Content-Type": {"application/x-www-form-urlencoded"}},
		[]contender{
			{"webhooks", func(r *http.Request) error {
				_, err := receiver.Receive(w, r)
				return err
			}},
			{"floor", func(r *http.Request) error {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return err
				}
				form, err := url.ParseQuery(string(body))
				if err != nil {
					return err
				}
				digest := sha1.Sum([]byte(form.Get("payload"))) //nolint:gosec // as above
				return rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA1, digest[:], signed)
			}},
		},
	}
}

// BenchmarkEvent compares what receiving an event other than a push costs.
func BenchmarkEvent(b *testing.B) {
	for _, r := range eventRaces(b) {
		next := request(r.body, r.header)
		for _, c := range r.contenders {
			b.Run(r.name+"/"+c.name, func(b *testing.B) { c.bench(b, r.body, next) })
		}
	}
}

// Every contender reads the events that BenchmarkEvent measures.
func TestEventContenders(t *testing.T) {
	t.Parallel()
	for _, r := range eventRaces(t) {
		next := request(r.body, r.header)
		for _, c := range r.contenders {
			if err := c.read(next()); err != nil {
				t.Errorf("%s by %s: %v", r.name, c.name, err)
			}
		}
		if d, err := receiver().Receive(httptest.NewRecorder(), next()); err != nil || d.Event.Kind != r.kind {
			t.Errorf("%s is read as %q, %v", r.name, d.Event.Kind, err)
		}
	}
}
