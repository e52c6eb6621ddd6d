package github_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core"
)

func redirect(w http.ResponseWriter, code int, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(code)
}

// A redirect to another host is not followed, except for a tarball from an
// allowed host, and never with the token.
func TestRedirectsToOtherHosts(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for call, do := range calls() {
			for _, allowed := range []bool{false, true} {
				name := strconv.Itoa(code) + "/" + call + "/allowed=" + strconv.FormatBool(allowed)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					elsewhere := newHost(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, `{"login":"thief"}`) })
					home := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
						redirect(w, code, elsewhere.URL+"/archive?token=one-time")
					})
					options := github.Options{BaseURL: home.URL}
					if allowed {
						options.ArchiveHosts = []string{elsewhere.address()}
					}
					_, err := do(t.Context(), newClient(t, options))
					wantRequests := 0
					if allowed && call == "Archive" {
						wantRequests = 1
					}
					if (err == nil) != (wantRequests == 1) {
						t.Errorf("got error %v", err)
					}
					if err != nil {
						if _, transient := core.Retryable(err); transient || strings.Contains(err.Error(), "one-time") {
							t.Errorf("got %v, want a final error without the address's token", err)
						}
					}
					if got := len(elsewhere.requests()); got != wantRequests {
						t.Errorf("%d requests to the other host, want %d", got, wantRequests)
					}
					for _, r := range elsewhere.requests() {
						if r.authorization != "" {
							t.Errorf("%s %s has authorization %q", r.method, r.uri, r.authorization)
						}
					}
					for _, r := range home.requests() {
						if r.authorization != "Bearer "+token.Reveal() {
							t.Errorf("at the API: authorization %q", r.authorization)
						}
					}
				})
			}
		}
	}
}

// An archive may be redirected to another allowed host. The address with its
// token is not passed on.
func TestArchiveRedirects(t *testing.T) {
	t.Parallel()
	var referer string
	last := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		referer = r.Header.Get("Referer")
		answer(w, http.StatusOK, "tar")
	})
	thief := newHost(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "tar") })
	archive := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/on":
			redirect(w, http.StatusFound, last.URL)
		case "/off":
			redirect(w, http.StatusFound, thief.URL)
		case "/round":
			redirect(w, http.StatusFound, "/round")
		case "/refused":
			answer(w, http.StatusForbidden, "")
		case "/limited":
			answer(w, http.StatusTooManyRequests, "")
		default:
			http.NotFound(w, r)
		}
	})
	home := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		redirect(w, http.StatusFound, archive.URL+"/"+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]+"?token=one-time")
	})
	client := newClient(t, github.Options{BaseURL: home.URL, ArchiveHosts: []string{archive.address(), last.address()}})

	if got, err := readTarball(t.Context(), client, "on"); got != "tar" || err != nil {
		t.Errorf("to an allowed host: got %q, %v", got, err)
	}
	if referer != "" {
		t.Errorf("the address was sent to the next host: %s", referer)
	}
	for _, ref := range []string{"off", "round"} {
		_, err := readTarball(t.Context(), client, ref)
		if _, transient := core.Retryable(err); err == nil || transient || strings.Contains(err.Error(), "one-time") {
			t.Errorf("%s: got %v, want a final error without the address's token", ref, err)
		}
	}
	if got := len(thief.requests()); got != 0 {
		t.Errorf("%d requests to a host that is not allowed", got)
	}
	for _, ref := range []string{"refused", "missing"} {
		if _, err := readTarball(t.Context(), client, ref); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: got %v, want %v", ref, err, core.ErrNotFound)
		}
	}
	if _, err := readTarball(t.Context(), client, "limited"); !isTransient(err) {
		t.Errorf("limited: got %v, want a temporary error", err)
	}
}

func isTransient(err error) bool {
	_, ok := core.Retryable(err)
	return ok
}

// A request for a renamed repository is repeated at its new address, a POST as a
// POST.
func TestRenamedRepository(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 307, 308} {
		for call, do := range calls() {
			t.Run(strconv.Itoa(code)+"/"+call, func(t *testing.T) {
				t.Parallel()
				home := newHost(t, func(w http.ResponseWriter, r *http.Request) {
					switch {
					case !strings.HasPrefix(r.URL.Path, "/api/v3/new/"):
						redirect(w, code, "/api/v3/new"+strings.TrimPrefix(r.URL.RequestURI(), "/api/v3"))
					case r.Method == http.MethodPost:
						answer(w, http.StatusCreated, "{}")
					default:
						answer(w, http.StatusOK, `{"login":"octo"}`)
					}
				})
				if _, err := do(t.Context(), newClient(t, github.Options{BaseURL: home.URL + "/api/v3"})); err != nil {
					t.Fatal(err)
				}
				got := home.requests()
				requests := 2
				if call == "Checks" { // which makes two calls
					requests = 4
				}
				if len(got) != requests {
					t.Fatalf("requests: %q", got)
				}
				if got[0].method != got[1].method || got[0].body != got[1].body || got[0].accept != got[1].accept {
					t.Errorf("repeated as %q, want %q", got[1], got[0])
				}
				if want := "Bearer " + token.Reveal(); got[1].authorization != want {
					t.Errorf("authorization %q, want %q", got[1].authorization, want)
				}
			})
		}
	}
}

// On GitHub Enterprise Server the archive is on the host of the API. It is not
// part of the API and gets no token.
func TestArchiveOnTheSameHost(t *testing.T) {
	t.Parallel()
	home := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_codeload/") {
			answer(w, http.StatusOK, "tar")
			return
		}
		redirect(w, http.StatusFound, "/_codeload/octo/hello?token=one-time")
	})
	got, err := readTarball(t.Context(), newClient(t, github.Options{BaseURL: home.URL + "/api/v3/"}), commit)
	if got != "tar" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	requests := home.requests()
	if len(requests) != 2 || requests[1].authorization != "" {
		t.Errorf("requests: %q", requests)
	}
}

func TestRedirectLoop(t *testing.T) {
	t.Parallel()
	for call, do := range calls() {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			home := newHost(t, func(w http.ResponseWriter, r *http.Request) {
				redirect(w, http.StatusTemporaryRedirect, r.URL.RequestURI())
			})
			_, err := do(t.Context(), newClient(t, github.Options{BaseURL: home.URL}))
			if err == nil || isTransient(err) {
				t.Errorf("got %v, want a final error", err)
			}
			if got := len(home.requests()); got > 12 {
				t.Errorf("%d requests", got)
			}
		})
	}
}
