package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
)

// fetch posts body and returns the whole answer.
func fetch(t *testing.T, url, body string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func TestDeployOutcomes(t *testing.T) {
	t.Parallel()
	for _, state := range core.Statuses {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			api := newAPI(t, func(o *httpapi.Options) {
				o.Deploy = fakeDeploy{
					deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
						return deploy.Receipt{Change: changeOf(core.StatusPending)}, nil
					},
					wait: func(_ context.Context, id string) (core.Change, error) {
						if id != entryID {
							t.Errorf("waited for %q", id)
						}
						return changeOf(state), nil
					},
				}
			})
			golden(t, "deploy "+string(state), whole(serve(api, request(t, "POST", "/1/deploy", "{}"))))
		})
	}
}

// The use case gets the fields of the request, and its result is the response.
func TestDeployRequest(t *testing.T) {
	t.Parallel()
	var got deploy.Request
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
			got = r
			return deploy.Receipt{Change: changeOf(core.StatusIgnored), Repeat: true}, nil
		}}
	})
	w := serve(api, request(t, "POST", "/?branch=feat%2Fa%231&user=indexzero", "email=x&payload=%7B%22a%22%3A1%7D",
		as("dscape"), "Content-Type: application/x-www-form-urlencoded", "X-GitHub-Delivery: 72d3162e"))
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if got.UUID != uuid || got.User != "indexzero" || got.Target.Branch != "feat/a#1" {
		t.Errorf("got UUID %q, user %q, branch %q", got.UUID, got.User, got.Target.Branch)
	}
	if got.Credentials == nil || got.Credentials.Username != "dscape" || got.Credentials.Password.Reveal() != secret {
		t.Errorf("got credentials %v", got.Credentials)
	}
	if string(got.Delivery.Payload) != `{"a":1}` || !strings.HasPrefix(string(got.Delivery.Body), "email=") {
		t.Errorf("got payload %q of body %q", got.Delivery.Payload, got.Delivery.Body)
	}
	if got.Delivery.Header.Get("X-Github-Delivery") != "72d3162e" || got.Delivery.Header.Get("Authorization") != "" {
		t.Errorf("got headers %v", got.Delivery.Header)
	}
}

func TestDeployCredentials(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, header string
		present      bool
		want         int
	}{
		{"none", "", false, 200},
		{"Basic", "Basic ZHNjYXBlOmh1bnRlcjI=", true, 200},
		{"Basic in lower case", "basic ZHNjYXBlOmh1bnRlcjI=", true, 200},
		{"Basic with an empty password", "Basic ZHNjYXBlOg==", true, 200},
		{"Travis CI's former hash", "Authorization-less " /* replaced below */, false, 200},
		{"no base64", "Basic %%%", false, 401},
		{"no colon", "Basic ZHNjYXBl", false, 401},
		{"no user", "Basic OnNlY3JldA==", false, 401},
		{"a newline in it", "Basic YQpiOmM=", false, 401},
		{"not UTF-8", "Basic /zph", false, 401},
		{"empty", "Basic", false, 401},
		{"another scheme", "Bearer abc", false, 401},
		{"no scheme and no hex", "hello", false, 401},
	}
	cases[4].header = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			called := false
			api := newAPI(t, func(o *httpapi.Options) {
				o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
					called = true
					if got := r.Credentials != nil; got != c.present {
						t.Errorf("credentials present: %t, want %t", got, c.present)
					}
					return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
				}}
			})
			var headers []string
			if c.header != "" {
				headers = append(headers, "Authorization: "+c.header)
			}
			w := serve(api, request(t, "POST", "/", "{}", headers...))
			if w.Code != c.want || called != (c.want == 200) {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, c.want)
			}
			if c.want == 401 {
				golden(t, "deploy bad creds", whole(w))
			}
		})
	}
}

func TestDeployRefusals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, target, body string
		headers            []string
		want               core.Code
	}{
		{"an empty body", "/", "", nil, core.CodeNoPayload},
		{"an empty payload", "/", "payload=&x=1", nil, core.CodeNoPayload},
		{"white space", "/", " \r\n", nil, core.CodeNoPayload},
		{"neither JSON nor a form", "/", "hello", nil, core.CodeProviderNotSupported},
		{"compressed", "/", "{}", []string{"Content-Encoding: gzip"}, core.CodePayloadEncoding},
		{"compressed, two headers", "/", "{}", []string{"Content-Encoding: identity", "Content-Encoding: br"}, core.CodePayloadEncoding},
		{"an invalid branch", "/?branch=a%0ab", "{}", nil, core.CodeDeployParams},
		{"a very long branch", "/?branch=" + strings.Repeat("a", 256), "{}", nil, core.CodeDeployParams},
		{"an invalid app", "/?app=Hello", "{}", nil, core.CodeDeployParams},
		{"an invalid root", "/?root=..", "{}", nil, core.CodeDeployParams},
		{"an invalid query", "/?branch=%zz", "{}", nil, core.CodeDeployParams},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := serve(newAPI(t, nil), request(t, "POST", c.target, c.body, c.headers...))
			var body struct{ Error core.Code }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error != c.want {
				t.Errorf("got %d %s, want %s", w.Code, w.Body, c.want)
			}
		})
	}
}

// endless is a body that never ends, and counts what is read of it.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func TestPayloadTooLarge(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"announced": core.MaxPayload + 1, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &endless{}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
			r.ContentLength = length
			w := serve(newAPI(t, nil), r)
			golden(t, "payload too large", whole(w))
			if length > 0 && body.read > 0 || body.read > core.MaxPayload+1<<20 {
				t.Errorf("%d bytes were read", body.read)
			}
		})
	}
}

func TestLargestPayload(t *testing.T) {
	t.Parallel()
	var size int
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
			size = len(r.Delivery.Body)
			return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
		}}
	})
	body := "{" + strings.Repeat(" ", core.MaxPayload-2) + "}"
	if w := serve(api, request(t, "POST", "/", body)); w.Code != 200 || size != core.MaxPayload {
		t.Errorf("got %d %s, with %d bytes", w.Code, w.Body, size)
	}
}

// A truncated body is refused, and the use case is not called.
func TestPayloadCutOff(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.MultiReader(
		strings.NewReader(`{"a":`), failing{}))
	r.ContentLength = 100
	if w := serve(newAPI(t, nil), r); w.Code != http.StatusBadRequest {
		t.Errorf("got %d %s, want 400", w.Code, w.Body)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

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

func TestRelease(t *testing.T) {
	t.Parallel()
	var asked []string
	var fail error
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{release: func(user, id string) (core.Change, error) {
			asked = append(asked, user+"/"+id)
			return changeOf(core.StatusPending), fail
		}}
	})
	path := "/1/status/dscape/changes/" + entryID + "/release"
	golden(t, "release", whole(serve(api, request(t, "POST", path, "", as("dscape")))))
	fail = core.NewError(core.CodeNotHeld, "", nil)
	golden(t, "release not held", whole(serve(api, request(t, "POST", path, "", as("dscape")))))
	if w := serve(api, request(t, "POST", path, "", as("indexzero"))); w.Code != http.StatusUnauthorized {
		t.Errorf("another user: got %d, want 401", w.Code)
	}
	if want := "dscape/" + entryID; len(asked) != 2 || asked[0] != want {
		t.Errorf("released %v (%s times), want %q twice", asked, strconv.Itoa(len(asked)), want)
	}
}

func TestRedeliverAndCancel(t *testing.T) {
	t.Parallel()
	var asked []string
	var fail error
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{
			redeliver: func(user, id, uuid string) (core.Change, error) {
				asked = append(asked, "redeliver "+user+"/"+id+" "+uuid)
				return changeOf(core.StatusPending), fail
			},
			cancel: func(user, id string) (core.Change, error) {
				asked = append(asked, "cancel "+user+"/"+id)
				return changeOf(core.StatusSkipped), fail
			},
			wait: func(context.Context, string) (core.Change, error) { return changeOf(core.StatusOK), nil },
		}
	})
	path := "/1/status/dscape/changes/" + entryID
	if w := serve(api, request(t, "POST", path+"/redeliver", "", as("dscape"))); w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), `"status":"pending"`) {
		t.Errorf("redeliver: got %d %s", w.Code, w.Body)
	}
	if w := serve(api, request(t, "POST", path+"/redeliver", "", as("dscape"), "Prefer: wait=5")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"ok"`) {
		t.Errorf("redeliver and wait: got %d %s", w.Code, w.Body)
	}
	if w := serve(api, request(t, "DELETE", path+"/", "", as("dscape"))); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"skipped"`) {
		t.Errorf("cancel: got %d %s", w.Code, w.Body)
	}
	fail = core.NewError(core.CodeCancelOver, "", nil)
	if w := serve(api, request(t, "DELETE", path, "", as("dscape"))); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), string(core.CodeCancelOver)) {
		t.Errorf("cancel what is over: got %d %s", w.Code, w.Body)
	}
	want := []string{"redeliver dscape/" + entryID + " " + uuid, "redeliver dscape/" + entryID + " " + uuid, "cancel dscape/" + entryID, "cancel dscape/" + entryID}
	for _, method := range []string{"POST", "DELETE"} {
		target := map[string]string{"POST": path + "/redeliver", "DELETE": path}[method]
		if w := serve(api, request(t, method, target, "", as("indexzero"))); w.Code != http.StatusUnauthorized {
			t.Errorf("%s by another user: got %d, want 401", method, w.Code)
		}
	}
	if !slices.Equal(asked, want) {
		t.Errorf("got calls %q, want %q", asked, want)
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
