package forges

import (
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/bitbucket"
	"github.com/nodejitsu/webhooks/adapters/gitea"
	"github.com/nodejitsu/webhooks/adapters/gitlab"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	bitbucketsender "github.com/nodejitsu/webhooks/providers/bitbucket"
	giteasender "github.com/nodejitsu/webhooks/providers/gitea"
	gitlabsender "github.com/nodejitsu/webhooks/providers/gitlab"
	"github.com/nodejitsu/webhooks/tools/forgesim"
)

// GitLab's test needs nothing in the repository, enables a webhook that was disabled, and
// its answer is seen.
func TestHookTestOfGitLab(t *testing.T) {
	t.Parallel()
	s, err := forgesim.New(t.Context(), forgesim.GitLab, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.AddUser(login, token)
	if _, err := s.CreateRepository(t.Context(), "acme/web", "hello", true); err != nil {
		t.Fatal(err)
	}
	to := newReceiver(t)
	if err := s.Hook("acme/web", "hello", to.URL, "secret"); err != nil {
		t.Fatal(err)
	}
	forge, err := gitlab.New(gitlab.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	repo := core.Repository{Forge: s.Host(), Owner: "acme/web", Name: "hello"}
	tests := func(why string, want int) {
		t.Helper()
		sent, status, err := forge.TestHook(t.Context(), repo, connect.ListedHook{ID: "1", URL: to.URL}, core.NewSecret(token))
		if err != nil || !sent || status != want {
			t.Errorf("%s: got %t %d, %v, want %d", why, sent, status, err, want)
		}
	}
	tests("it succeeds", http.StatusOK)
	to.answers(http.StatusUnauthorized, true)
	tests("it is refused", http.StatusUnauthorized)
	to.answers(http.StatusBadGateway, false)
	tests("a proxy fails", http.StatusBadGateway)
	if err := s.DisableHooks("acme/web", "hello"); err != nil {
		t.Fatal(err)
	}
	to.answers(http.StatusOK, true)
	tests("it was disabled", http.StatusOK)
	to.Close()
	tests("nothing answers", 0)
}

// answering returns a forge that answers each request by its method and the end of its
// path.
func answering(t *testing.T, answers map[string]string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for end, answer := range answers {
			if method, path, _ := strings.Cut(end, " "); r.Method == method && strings.HasSuffix(r.URL.Path, path) {
				_, _ = w.Write([]byte(answer)) // the client may have left
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(s.Close)
	return s
}

// A GitLab before 16.11 has no test in its API.
func TestHookTestOfAnOldGitLab(t *testing.T) {
	t.Parallel()
	s := answering(t, nil)
	forge, err := gitlab.New(gitlab.Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	repo := core.Repository{Forge: strings.TrimPrefix(s.URL, "http://"), Owner: "acme", Name: "hello"}
	if sent, status, err := forge.TestHook(t.Context(), repo, connect.ListedHook{ID: "1"}, core.NewSecret(token)); sent || status != 0 || err != nil {
		t.Errorf("got %t %d, %v", sent, status, err)
	}
}

// What Data Center says of its test is not documented: an answer without a status code
// does not count as a test.
func TestHookTestOfDataCenter(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		`{"request":{"headers":{}},"response":{"statusCode":200}}`: 200, `{"response":{"statusCode":401}}`: 401,
		`{"request":{},"error":"Connection refused"}`: 0, `{}`: 0,
	} {
		s := answering(t, map[string]string{"POST /rest/api/latest/projects/WEB/repos/hello/webhooks/test": answer})
		forge, err := bitbucket.NewDataCenter(bitbucket.DataCenterOptions{URL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(forge.Close)
		repo := core.Repository{Forge: strings.TrimPrefix(s.URL, "http://"), Owner: "WEB", Name: "hello"}
		sent, status, err := forge.TestHook(t.Context(), repo, connect.ListedHook{ID: "1", URL: "https://hooks.example.com/"}, core.NewSecret(token))
		if err != nil || sent != (want != 0) || status != want {
			t.Errorf("%s: got %t %d, %v", answer, sent, status, err)
		}
	}
}

// What is sent in the place of a forge is recognized as its own, is signed, and deploys
// nothing.
func TestHookSamples(t *testing.T) {
	t.Parallel()
	type sender interface {
		Recognize(d core.Delivery) bool
		Verify(d core.Delivery, keys []core.Secret) (core.Signature, int)
		Parse(d core.Delivery) (core.Event, error)
	}
	of := func(f connect.Sampler, err error) connect.Sampler {
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const at = "http://127.0.0.1:3000/forge"
	for name, test := range map[string]struct {
		forge  connect.Sampler
		sender sender
		kind   core.EventKind
	}{
		"GitLab":                {of(gitlab.New(gitlab.Options{URL: at})), gitlabsender.Provider{}, core.EventOther},
		"Gitea":                 {of(gitea.New(gitea.Options{URL: at})), giteasender.Provider{}, core.EventOther},
		"Gogs":                  {of(gitea.New(gitea.Options{URL: at, Gogs: true})), giteasender.Provider{}, core.EventOther},
		"Bitbucket":             {of(bitbucket.New(bitbucket.Options{URL: at})), bitbucketsender.Provider{}, core.EventPing},
		"Bitbucket Data Center": {of(bitbucket.NewDataCenter(bitbucket.DataCenterOptions{URL: at})), bitbucketsender.Provider{}, core.EventPing},
	} {
		secret := core.NewSecret("secret")
		header, body := test.forge.Sample(core.Repository{Forge: "127.0.0.1:3000", Owner: "acme", Name: "hello"}, secret)
		d := core.Delivery{Header: textproto.MIMEHeader(header), Body: body, Payload: body}
		signature, _ := test.sender.Verify(d, []core.Secret{secret})
		other, _ := test.sender.Verify(d, []core.Secret{core.NewSecret("another")})
		event, err := test.sender.Parse(d)
		if !test.sender.Recognize(d) || signature != core.SignatureValid || other != core.SignatureInvalid || err != nil || event.Kind != test.kind {
			t.Errorf("%s: got %s, with another secret %s, %+v, %v", name, signature, other, event, err)
		}
		if event.Repository.Name != "" && event.Repository.Key() != "127.0.0.1:3000/acme/hello" {
			t.Errorf("%s: got the repository %s", name, event.Repository.Key())
		}
	}
}
