package github_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func TestFile(t *testing.T) {
	t.Parallel()
	var path, ref string
	server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		path, ref = r.URL.Path, r.URL.Query().Get("ref")
		w.Header().Set("Content-Type", "application/json")
		answer(w, http.StatusOK, `{"name":"hello","type":"module"}`)
	})
	client := newClient(t, github.Options{BaseURL: server.URL + "/api/v3"})
	for _, name := range []string{"package.json", "a b/ü#?&%2e.json", "..a/b..", `c\d`} {
		for _, at := range []string{commit, "feat/a#1?x&y=z"} {
			got, err := client.File(t.Context(), repo(), at, name, token)
			if err != nil || string(got) != `{"name":"hello","type":"module"}` {
				t.Fatalf("%s at %s: got %q, %v", name, at, got, err)
			}
			if want := "/api/v3/repos/octo/hello/contents/" + name; path != want || ref != at {
				t.Errorf("requested %q at %q, want %q at %q", path, ref, want, at)
			}
		}
	}
	for _, r := range server.requests() {
		if r.authorization != "Bearer "+token.Reveal() || r.accept != "application/vnd.github.raw+json" {
			t.Errorf("got %q", r)
		}
	}
	before := len(server.requests())
	for _, name := range []string{"", "/package.json", "../../../user", "a/./b"} {
		if _, err := client.File(t.Context(), repo(), commit, name, token); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%q: got %v, want %v", name, err, core.ErrNotFound)
		}
	}
	if _, err := client.File(t.Context(), repo(), "", "package.json", token); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("no commit: got %v, want %v", err, core.ErrNotFound)
	}
	for _, bad := range []core.Secret{core.NewSecret("a\nb"), core.NewSecret("a b"), core.NewSecret("ä")} {
		if _, err := client.File(t.Context(), repo(), commit, "package.json", bad); !errors.Is(err, core.ErrUnauthorized) {
			t.Errorf("token %q: got %v, want %v", bad.Reveal(), err, core.ErrUnauthorized)
		}
	}
	if got := len(server.requests()); got != before {
		t.Errorf("%d requests for invalid arguments", got-before)
	}
	if _, err := client.File(t.Context(), repo(), commit, "package.json", core.Secret{}); err != nil {
		t.Errorf("without a token: %v", err)
	}
	if got := server.requests(); got[len(got)-1].authorization != "" {
		t.Errorf("without a token: sent %q", got[len(got)-1].authorization)
	}
}

func TestFileSize(t *testing.T) {
	t.Parallel()
	server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/huge") {
			answer(w, http.StatusForbidden, `{"message":"This API returns blobs up to 100 MB in size","errors":[{"resource":"Blob","field":"data","code":"too_large"}]}`)
			return
		}
		size, err := strconv.Atoi(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
		if err != nil {
			t.Error(err)
		}
		answer(w, http.StatusOK, strings.Repeat("x", size))
	})
	client := newClient(t, github.Options{BaseURL: server.URL})
	if got, err := client.File(t.Context(), repo(), commit, strconv.Itoa(1<<20), token); len(got) != 1<<20 || err != nil {
		t.Errorf("1 MiB: got %d bytes, %v", len(got), err)
	}
	for _, name := range []string{strconv.Itoa(1<<20 + 1), strconv.Itoa(8 << 20), "huge"} {
		got, err := client.File(t.Context(), repo(), commit, name, token)
		if len(got) != 0 || err == nil || isTransient(err) || errors.Is(err, core.ErrForbidden) {
			t.Errorf("%s: got %d bytes, %v, want a final error", name, len(got), err)
		}
	}
}

func TestNotAFile(t *testing.T) {
	t.Parallel()
	for body, none := range map[string]bool{
		`[{"type":"file","path":"a/b","sha":"1","git_url":"https://x"}]`: true,
		`{"type":"submodule","path":"a","sha":"1","git_url":null}`:       true,
		`{"type":"symlink","path":"a","sha":"1","target":"/etc"}`:        true,
		`{"type":"module","name":"app"}`:                                 false,
		`[{"type":"file"}]`:                                              false,
		`[]`:                                                             false,
		`not JSON`:                                                       false,
	} {
		server := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			answer(w, http.StatusOK, body)
		})
		_, err := newClient(t, github.Options{BaseURL: server.URL}).File(t.Context(), repo(), commit, "a", token)
		if got := errors.Is(err, core.ErrNotFound); got != none || err != nil && !none {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestTarball(t *testing.T) {
	t.Parallel()
	for _, direct := range []bool{true, false} {
		archive := newHost(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != "" {
				t.Errorf("requested the encoding %q of a compressed archive", got)
			}
			answer(w, http.StatusOK, "tar of "+r.URL.Path)
		})
		home := newHost(t, func(w http.ResponseWriter, r *http.Request) {
			if direct {
				answer(w, http.StatusOK, "tar of "+r.URL.Path)
				return
			}
			redirect(w, http.StatusFound, archive.URL+r.URL.EscapedPath()+"?token=one-time")
		})
		client := newClient(t, github.Options{BaseURL: home.URL, ArchiveHosts: []string{archive.address()}})
		for _, ref := range []string{commit, "feat/a#1?x"} {
			got, err := readTarball(t.Context(), client, ref)
			if want := "tar of /repos/octo/hello/tarball/" + ref; got != want || err != nil {
				t.Errorf("direct %t: got %q, %v, want %q", direct, got, err, want)
			}
		}
		if _, err := client.Archive(t.Context(), repo(), "../../x", token); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("got %v, want %v", err, core.ErrNotFound)
		}
	}
}

// If a tarball is truncated at any place, reading it fails with a temporary error.
func TestTruncatedTarball(t *testing.T) {
	t.Parallel()
	const whole = 16 << 10
	for sent := 0; sent < whole; sent += 1 << 10 {
		archive := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(whole))
			answer(w, http.StatusOK, strings.Repeat("x", sent))
		})
		home := newHost(t, func(w http.ResponseWriter, _ *http.Request) { redirect(w, http.StatusFound, archive.URL) })
		client := newClient(t, github.Options{BaseURL: home.URL, ArchiveHosts: []string{archive.address()}})
		got, err := readTarball(t.Context(), client, commit)
		if len(got) != sent || !errors.Is(err, io.ErrUnexpectedEOF) || !isTransient(err) {
			t.Errorf("cut at %d: got %d bytes, %v", sent, len(got), err)
		}
	}
}

func TestSetStatus(t *testing.T) {
	t.Parallel()
	server := newHost(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusCreated, "{}") })
	client := newClient(t, github.Options{BaseURL: server.URL, StatusContext: "deploy/test"})
	for _, status := range []deploy.CommitStatus{
		{State: "success", Description: strings.Repeat("ü", 200), TargetURL: "https://app.example/"},
		{State: "pending"},
	} {
		if err := client.CommitStatus(t.Context(), repo(), commit, status, token); err != nil {
			t.Fatal(err)
		}
	}
	got := server.requests()
	for i, want := range []map[string]string{
		{"state": "success", "context": "deploy/test", "target_url": "https://app.example/", "description": strings.Repeat("ü", 139) + "…"},
		{"state": "pending", "context": "deploy/test"},
	} {
		var body map[string]string
		if err := json.Unmarshal([]byte(got[i].body), &body); err != nil || !reflect.DeepEqual(body, want) {
			t.Errorf("posted %v, %v, want %v", body, err, want)
		}
		if got, want := got[i].method+" "+got[i].uri, "POST /repos/octo/hello/statuses/"+commit; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A commit and an app have one deployment, with the same statuses as the commit.
func TestDeployments(t *testing.T) {
	t.Parallel()
	known := "[]"
	server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/statuses"):
			answer(w, http.StatusCreated, "{}")
		case r.Method == http.MethodGet:
			answer(w, http.StatusOK, known)
		default:
			answer(w, http.StatusCreated, `{"id":7}`)
		}
	})
	client := newClient(t, github.Options{BaseURL: server.URL})
	for _, status := range []deploy.CommitStatus{
		{App: "hello", State: "pending", Description: "Deploying hello"},
		{App: "hello", State: "failure", Description: strings.Repeat("ü", 200), TargetURL: "https://log.example/", URL: "https://app.example/"},
	} {
		if err := client.CommitStatus(t.Context(), repo(), commit, status, token); err != nil {
			t.Fatal(err)
		}
		known = `[{"id":7}]`
	}
	var got []string
	for _, r := range server.requests() {
		if strings.Contains(r.uri, "/deployments") {
			got = append(got, r.method+" "+r.uri+" "+r.body)
		}
	}
	list := "GET /repos/octo/hello/deployments?environment=hello&per_page=1&sha=" + commit + " "
	want := []string{
		list,
		`POST /repos/octo/hello/deployments {"ref":"` + commit + `","auto_merge":false,"required_contexts":[],"environment":"hello","description":"Deploying hello"}`,
		`POST /repos/octo/hello/deployments/7/statuses {"state":"in_progress","description":"Deploying hello","auto_inactive":true}`,
		list,
		`POST /repos/octo/hello/deployments/7/statuses {"state":"failure","log_url":"https://log.example/","description":"` +
			strings.Repeat("ü", 139) + `…","environment_url":"https://app.example/","auto_inactive":true}`,
	}
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], "\n")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A token that may set commit statuses only is enough; temporary errors of
// deployments are returned.
func TestDeploymentsThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	for status, transient := range map[int]bool{403: false, 404: false, 502: true} {
		server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/deployments") {
				answer(w, status, `{"message":"Resource not accessible"}`)
				return
			}
			answer(w, http.StatusCreated, "{}")
		})
		err := newClient(t, github.Options{BaseURL: server.URL}).CommitStatus(t.Context(), repo(), commit, deploy.CommitStatus{App: "hello", State: "success"}, token)
		if (err != nil) != transient || transient && !isTransient(err) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A POST that became a GET is answered with 200, although nothing was written.
func TestSetStatusRequires201(t *testing.T) {
	t.Parallel()
	server := newHost(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "{}") })
	err := newClient(t, github.Options{BaseURL: server.URL}).CommitStatus(t.Context(), repo(), commit, deploy.CommitStatus{State: "error"}, token)
	if err == nil {
		t.Error("200 was accepted")
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header http.Header
		want   []string
	}{
		"fine-grained": {nil, nil},
		"no scopes":    {http.Header{"X-Oauth-Scopes": {""}}, []string{}},
		"scopes":       {http.Header{"X-Oauth-Scopes": {"repo:status, user"}}, []string{"repo:status", "user"}},
	} {
		server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/user" {
				http.NotFound(w, r)
				return
			}
			maps.Copy(w.Header(), test.header)
			answer(w, http.StatusOK, `{"login":"Octo"}`)
		})
		client := newClient(t, github.Options{BaseURL: server.URL})
		login, scopes, err := client.Login(t.Context(), token)
		if login != "Octo" || err != nil || !reflect.DeepEqual(scopes, test.want) {
			t.Errorf("%s: got %q, %#v, %v, want scopes %#v", name, login, scopes, err, test.want)
		}
		if _, _, err := client.Login(t.Context(), core.Secret{}); !errors.Is(err, core.ErrUnauthorized) {
			t.Errorf("no token: got %v, want %v", err, core.ErrUnauthorized)
		}
	}
	nameless := newHost(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, `{}`) })
	if login, _, err := newClient(t, github.Options{BaseURL: nameless.URL}).Login(t.Context(), token); err == nil {
		t.Errorf("an answer without a login returned %q", login)
	}
}

// Only the beginning of an error body is read.
func TestEndlessErrorBody(t *testing.T) {
	t.Parallel()
	server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		for block := make([]byte, 1<<16); r.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	for call, do := range calls() {
		if _, err := do(t.Context(), newClient(t, github.Options{BaseURL: server.URL})); !isTransient(err) {
			t.Errorf("%s: got %v, want a temporary error", call, err)
		}
	}
}

// Errors do not contain the address of a private archive.
func TestArchiveErrorsHideTheAddress(t *testing.T) {
	t.Parallel()
	archive := newHost(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	home := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
		redirect(w, http.StatusFound, archive.URL+"/x?token="+url.QueryEscape("one-time"))
	})
	client := newClient(t, github.Options{BaseURL: home.URL, ArchiveHosts: []string{archive.address()}})
	_, err := readTarball(t.Context(), client, commit)
	if !isTransient(err) || strings.Contains(err.Error(), "one-time") {
		t.Errorf("got %v, want a temporary error, without the address", err)
	}
}
