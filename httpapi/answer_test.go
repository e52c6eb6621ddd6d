package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
)

// What an entry says about the answer to its delivery is what was sent.
func TestAnswerIsTheOneSent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		provider core.Provider
		sent     core.Status   // when the sender is answered
		now      core.Status   // when the entry is read
		finished time.Duration // after the acceptance
	}{
		"an outcome in time":           {core.ProviderGitHub, core.StatusOK, core.StatusOK, time.Second},
		"a failure in time":            {core.ProviderGitHub, core.StatusError, core.StatusError, time.Second},
		"a failure, as GitLab gets it": {core.ProviderGitLab, core.StatusError, core.StatusError, time.Second},
		"ignored at once":              {core.ProviderGitHub, core.StatusIgnored, core.StatusIgnored, 0},
		"an outcome that came later":   {core.ProviderGitHub, core.StatusPending, core.StatusOK, time.Hour},
		"a failure that came later":    {core.ProviderGitHub, core.StatusPending, core.StatusError, time.Hour},
		"held, and still so":           {core.ProviderGitHub, core.StatusHeld, core.StatusHeld, 0},
		"held, and deployed long ago":  {core.ProviderGitHub, core.StatusHeld, core.StatusOK, time.Hour},
		"pending, and nothing happens": {core.ProviderGitHub, core.StatusPending, core.StatusPending, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var change core.Change // of the entry now
			api := newAPI(t, func(o *httpapi.Options) {
				o.Deploy = fakeDeploy{
					deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
						accepted := changeOf(test.sent)
						accepted.Entry.Provider, accepted.Entry.UUID = test.provider, r.UUID
						accepted.Entry.AnswerBy = r.AnswerBy(test.provider)
						change = changeOf(test.now)
						e := &change.Entry
						e.Provider, e.UUID, e.AnswerBy = test.provider, r.UUID, accepted.Entry.AnswerBy
						if test.now.Outcome() {
							e.FinishedAt = time.Now().Add(test.finished)
						}
						if test.sent == core.StatusHeld {
							e.HeldAt = time.Now()
						}
						return deploy.Receipt{Change: accepted}, nil
					},
					wait: func(context.Context, string) (core.Change, error) { return changeOf(test.sent), nil },
				}
				o.Status = fakeStatus{entry: func(string, string) (core.Change, error) { return change, nil }}
			})
			sent := serve(api, request(t, "POST", "/1/deploy", "{}"))
			read := request(t, "GET", "/1/status/dscape/changes/"+entryID, "")
			read.SetBasicAuth("dscape", secret)
			var got struct {
				Answer *httpapi.Answer `json:"answer"`
			}
			if err := json.Unmarshal(serve(api, read).Body.Bytes(), &got); err != nil || got.Answer == nil {
				t.Fatalf("the entry has no answer: %v", err)
			}
			if got.Answer.Status != sent.Code {
				t.Errorf("status %d, and %d was sent", got.Answer.Status, sent.Code)
			}
			for _, line := range got.Answer.Header {
				name, value, _ := strings.Cut(line, ": ")
				if sent.Header().Get(name) != value {
					t.Errorf("header %s, and %q was sent", line, sent.Header().Get(name))
				}
			}
			var wrote, says map[string]any
			if err := json.Unmarshal(sent.Body.Bytes(), &wrote); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(got.Answer.Body, &says); err != nil {
				t.Fatal(err)
			}
			for field, value := range says {
				if wrote[field] != value {
					t.Errorf("%s is %v, and %v was sent", field, value, wrote[field])
				}
			}
			if missing := len(wrote) - len(says); missing > 0 && sent.Code != http.StatusAccepted {
				t.Errorf("has %q, and %q were sent", slices.Sorted(maps.Keys(says)), slices.Sorted(maps.Keys(wrote)))
			}
		})
	}
	if _, ok, err := httpapi.AnswerTo(changeOf(core.StatusOK), "http://host", false); ok || err != nil {
		t.Errorf("an entry that no delivery made has an answer, %v", err)
	}
}
