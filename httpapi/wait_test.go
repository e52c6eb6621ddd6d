package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
)

func TestWaiting(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		prefer  []string
		wait    time.Duration
		applied string
	}{
		{"as usual", nil, 8 * time.Second, ""},
		{"longer", []string{"wait=20"}, 20 * time.Second, "wait=20"},
		{"too long", []string{"wait=100000"}, time.Minute, "wait=60"},
		{"not at all", []string{"respond-async"}, 0, "respond-async"},
		{"not at all, by wait", []string{"wait=0"}, 0, "wait=0"},
		{"both", []string{"respond-async, wait=3"}, 3 * time.Second, "respond-async, wait=3"},
		{"in two headers, with parameters", []string{`Respond-Async; x="a,wait=9"`, `foo=bar, WAIT = "4" ; y`}, 4 * time.Second, "respond-async, wait=4"},
		{"the first counts", []string{"wait=2, wait=5"}, 2 * time.Second, "wait=2"},
		{"not a number", []string{"wait=soon"}, 8 * time.Second, ""},
		{"negative", []string{"wait=-1"}, 8 * time.Second, ""},
		{"something else", []string{"return=minimal"}, 8 * time.Second, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := newAPI(t, func(o *httpapi.Options) {
					o.Deploy = fakeDeploy{
						deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
							return deploy.Receipt{Change: changeOf(core.StatusPending)}, nil
						},
						wait: func(ctx context.Context, _ string) (core.Change, error) {
							<-ctx.Done()
							return changeOf(core.StatusPending), nil
						},
					}
				})
				r := request(t, "POST", "/", "{}")
				r.Header["Prefer"] = c.prefer
				begin := time.Now()
				w := serve(api, r)
				if got := time.Since(begin); got != c.wait {
					t.Errorf("waited %s, want %s", got, c.wait)
				}
				if got := w.Header().Get("Preference-Applied"); got != c.applied {
					t.Errorf("Preference-Applied is %q, want %q", got, c.applied)
				}
				if w.Code != http.StatusAccepted || !strings.HasSuffix(w.Header().Get("Location"), "/1/status/dscape/changes/"+entryID) {
					t.Errorf("got %d, Location %q", w.Code, w.Header().Get("Location"))
				}
			})
		})
	}
}

// The response to a report that released a push has the outcome of the push, also
// if the report is repeated.
func TestReportIsAnsweredWithItsPush(t *testing.T) {
	t.Parallel()
	report, push := changeOf(core.StatusOK), changeOf(core.StatusError)
	report.Entry.ID, report.Entry.Releases = strings.Repeat("a", 32), push.Entry.ID
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{
			deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				return deploy.Receipt{Change: report, Repeat: true}, nil
			},
			wait: func(_ context.Context, id string) (core.Change, error) {
				if id != report.Entry.ID {
					t.Errorf("got wait for %s, want the report", id)
				}
				return push, nil
			},
		}
	})
	w := serve(api, request(t, "POST", "/", "{}"))
	if w.Code/100 == 2 || !strings.Contains(w.Body.String(), push.Entry.ID) {
		t.Errorf("got %d %s, want the push's failure", w.Code, w.Body)
	}
	if w := serve(api, request(t, "POST", "/", "{}", "Prefer: respond-async")); w.Code != http.StatusOK {
		t.Errorf("without waiting got %d %s", w.Code, w.Body)
	}
}

// A report without a user has no address.
func TestReportWithoutUserHasNoAddress(t *testing.T) {
	t.Parallel()
	for status, code := range map[core.Status]int{core.StatusHeld: http.StatusAccepted, core.StatusOK: http.StatusOK, core.StatusError: 0} {
		change := changeOf(status)
		change.Entry.User = ""
		api := newAPI(t, func(o *httpapi.Options) {
			o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				return deploy.Receipt{Change: change}, nil
			}}
		})
		w := serve(api, request(t, "POST", "/", "{}"))
		if code != 0 && w.Code != code || strings.Contains(w.Body.String(), `"id"`) || w.Header().Get("Location") != "" {
			t.Errorf("%s: got %d %s, Location %q", status, w.Code, w.Body, w.Header().Get("Location"))
		}
	}
}

// The time for reading and processing a delivery is part of the wait.
func TestWaitingBeginsWithTheRequest(t *testing.T) {
	t.Parallel()
	for elapsed, want := range map[time.Duration]time.Duration{3 * time.Second: 8 * time.Second, 9 * time.Second: 9 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			api := newAPI(t, func(o *httpapi.Options) {
				o.Deploy = fakeDeploy{
					deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
						<-time.After(elapsed)
						return deploy.Receipt{Change: changeOf(core.StatusPending)}, nil
					},
					wait: func(ctx context.Context, _ string) (core.Change, error) {
						<-ctx.Done()
						return changeOf(core.StatusPending), nil
					},
				}
			})
			begin := time.Now()
			if w := serve(api, request(t, "POST", "/", "{}")); w.Code != http.StatusAccepted {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if got := time.Since(begin); got != want {
				t.Errorf("processed in %s: response after %s, want %s", elapsed, got, want)
			}
		})
	}
}

// An accepted delivery is answered with 202 even if waiting for it fails.
func TestWaitingFails(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{
			deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				return deploy.Receipt{Change: changeOf(core.StatusPending)}, nil
			},
			wait: func(context.Context, string) (core.Change, error) { return core.Change{}, errors.New("down") },
		}
	})
	if w := serve(api, request(t, "POST", "/", "{}")); w.Code != http.StatusAccepted {
		t.Errorf("got %d %s, want 202", w.Code, w.Body)
	}
}

// GitLab disables a webhook whose answers are errors, and Bitbucket delivers again: a
// delivery that was accepted has succeeded, whatever became of it. To the others its
// failure is the answer.
func TestAnswerToSenders(t *testing.T) {
	t.Parallel()
	for provider, want := range map[core.Provider]int{
		core.ProviderGitHub: http.StatusInternalServerError, core.ProviderGitea: http.StatusInternalServerError,
		core.ProviderGitLab: http.StatusOK, core.ProviderBitbucket: http.StatusOK,
	} {
		api := newAPI(t, func(o *httpapi.Options) {
			o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				change := changeOf(core.StatusError)
				change.Entry.Provider = provider
				change.Entry.Error = &core.EntryError{Code: core.CodeStartApp, Reason: "It exits"}
				change.Entry.Reason = "It exits"
				return deploy.Receipt{Change: change}, nil
			}}
		})
		w := serve(api, request(t, "POST", "/1/deploy", "{}"))
		if w.Code != want || !strings.Contains(w.Body.String(), `"error":"deploy:nodejitsu:start_app"`) || !strings.Contains(w.Body.String(), "It exits") {
			t.Errorf("%s: got %d %s, want %d", provider, w.Code, w.Body, want)
		}
	}
}

// Gitea waits for 5 s only.
func TestWaitForSenders(t *testing.T) {
	t.Parallel()
	for provider, want := range map[core.Provider]time.Duration{core.ProviderGitHub: time.Minute, core.ProviderGitea: 4 * time.Second} {
		waited := time.Duration(-1)
		api := newAPI(t, func(o *httpapi.Options) {
			o.Wait = time.Minute
			pending := changeOf(core.StatusPending)
			pending.Entry.Provider = provider
			o.Deploy = fakeDeploy{
				deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
					return deploy.Receipt{Change: pending}, nil
				},
				wait: func(ctx context.Context, _ string) (core.Change, error) {
					until, _ := ctx.Deadline()
					waited = time.Until(until)
					return pending, nil
				},
			}
		})
		w := serve(api, request(t, "POST", "/1/deploy", "{}"))
		if w.Code != http.StatusAccepted || waited > want || waited < want-50*time.Second {
			t.Errorf("%s: got %d, waits %s, want %s", provider, w.Code, waited, want)
		}
	}
}
