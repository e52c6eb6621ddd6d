package sim_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

const raw = "application/vnd.github.raw+json"

func TestContents(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	if code, _, body := b.get("/repos/octo/hello/contents/package.json", "", raw); code != 404 || !strings.Contains(body, "empty") {
		t.Errorf("empty repository: got %d %s", code, body)
	}
	for link, target := range map[string]string{"link": "lib/a b.js", "lib/up": "../package.json", "out": "../../etc/passwd", "root": "/etc/passwd"} {
		if err := os.MkdirAll(filepath.Join(b.clone, "lib"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(b.clone, link)); err != nil {
			t.Fatal(err)
		}
	}
	first := b.commit("first", map[string]string{"package.json": `{"v":1}`, "lib/a b.js": "ab", "-n": "dash", "big": strings.Repeat("x", 1<<20+1)})
	b.git("tag", "v1")
	second := b.commit("second", map[string]string{"package.json": `{"v":2}`})
	b.git("branch", "feat/a#1")
	b.push("main", "feat/a#1", "v1")

	for _, test := range []struct {
		path, ref string
		code      int
		want      string
	}{
		{"package.json", "", 200, `{"v":2}`},
		{"package.json", first, 200, `{"v":1}`},
		{"package.json", first[:8], 200, `{"v":1}`},
		{"package.json", second, 200, `{"v":2}`},
		{"package.json", "main", 200, `{"v":2}`},
		{"package.json", "refs/heads/main", 200, `{"v":2}`},
		{"package.json", "v1", 200, `{"v":1}`},
		{"package.json", "feat/a%231", 200, `{"v":2}`},
		{"lib/a%20b.js", "", 200, "ab"},
		{"-n", "", 200, "dash"},
		{"link", "", 200, "ab"},
		{"lib/up", "", 200, `{"v":2}`},
		{"Package.json", "", 404, ""},
		{"package.json/x", "", 404, ""},
		{"package.json", strings.Repeat("1", 40), 404, ""},
		{"package.json", "nope", 404, ""},
		{"package.json", "--output=x", 404, ""},
		{"package.json", "main~1", 404, ""},
		{"package.json", "main%3Apackage.json", 404, ""},
		{"package.json", "%40", 404, ""},
		{"package.json", "..%2f..", 404, ""},
		{"lib/%2e%2e/%2e%2e/HEAD", "", 404, ""},
		{"lib/%00", "", 404, ""},
	} {
		to := "/repos/octo/hello/contents/" + test.path
		if test.ref != "" {
			to += "?ref=" + test.ref
		}
		code, header, body := b.get(to, "", raw)
		if test.code == 404 && code >= 300 && code < 400 { // the path was cleaned, and where it leads is nothing either
			code, _, body = b.get(strings.TrimPrefix(header.Get("Location"), strings.TrimSuffix(b.URL(), "/")), "", raw)
		}
		if code != test.code || code == 200 && body != test.want {
			t.Errorf("%s at %q: got %d %.80q, want %d %q", test.path, test.ref, code, body, test.code, test.want)
		}
	}

	var file struct{ Type, Encoding, Content, SHA, Path, Target string }
	read := func(path string, into any) {
		t.Helper()
		code, header, body := b.get("/repos/octo/hello/contents/"+path, "", "")
		if err := json.Unmarshal([]byte(body), into); err != nil || code != 200 || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
			t.Fatalf("%s: got %d %s, %v", path, code, body, err)
		}
	}
	read("package.json", &file)
	text, err := base64.StdEncoding.DecodeString(file.Content)
	if err != nil || string(text) != `{"v":2}` || file.Type != "file" || file.Encoding != "base64" || file.SHA != b.git("rev-parse", "HEAD:package.json") {
		t.Errorf("JSON form: got %+v, %v", file, err)
	}
	if read("big", &file); file.Encoding != "none" || file.Content != "" {
		t.Errorf("JSON form of more than 1 MiB: got %+v", file)
	}
	for _, link := range []string{"out", "root"} {
		if read(link, &file); file.Type != "symlink" || file.Target == "" {
			t.Errorf("link out of the repository: got %+v", file)
		}
	}
	var folder []struct{ Type, Name, Path string }
	if read("lib", &folder); len(folder) != 2 || folder[0].Path != "lib/a b.js" || folder[1].Type != "symlink" {
		t.Errorf("folder: got %+v", folder)
	}
	if read("", &folder); len(folder) != 7 {
		t.Errorf("top: got %+v", folder)
	}

	// The same through the client, with what it makes of them.
	client := b.client()
	if got, err := client.File(t.Context(), hello(), first, "lib/a b.js", core.Secret{}); string(got) != "ab" || err != nil {
		t.Errorf("client: got %q, %v", got, err)
	}
	if got, err := client.DefaultBranch(t.Context(), hello(), core.Secret{}); got != "main" || err != nil {
		t.Errorf("default branch: got %q, %v", got, err)
	}
	for _, path := range []string{"lib", "out", "nope"} {
		if _, err := client.File(t.Context(), hello(), first, path, core.Secret{}); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("client, %s: got %v, want %v", path, err, core.ErrNotFound)
		}
	}
	if _, err := client.File(t.Context(), hello(), first, "big", core.Secret{}); err == nil || errors.Is(err, core.ErrNotFound) {
		t.Errorf("client, too big: got %v", err)
	}
}

// untar returns the files of a gzipped tar and the comment of its header,
// where git puts the commit.
func untar(t *testing.T, r io.Reader) (files map[string]string, comment string) {
	t.Helper()
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, comment
		} else if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			comment = h.PAXRecords["comment"]
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(text)
	}
}

func TestTarball(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		b := newBench(t, sim.Options{}, private)
		b.AddUser("octo", "token", []string{"repo"})
		commit := b.commit("first", map[string]string{"package.json": "{}", "lib/a.js": "a"})
		b.push("main")
		client := b.client()
		body, err := client.Archive(t.Context(), hello(), commit, core.NewSecret("token"))
		if err != nil {
			t.Fatal(err)
		}
		files, comment := untar(t, body)
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		top := "octo-hello-" + commit[:7] + "/"
		want := map[string]string{top: "", top + "package.json": "{}", top + "lib/": "", top + "lib/a.js": "a"}
		if !maps.Equal(files, want) || comment != commit {
			t.Errorf("got %q of commit %s, want %q of %s", files, comment, want, commit)
		}
		for _, ref := range []string{strings.Repeat("1", 40), "--output=x", "main..main"} {
			if _, err := client.Archive(t.Context(), hello(), ref, core.NewSecret("token")); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("%s: got %v, want %v", ref, err, core.ErrNotFound)
			}
		}
		for _, r := range b.Requests() {
			if r.Archive == r.Authorization {
				t.Errorf("the token went to the archive, or not to the API: %+v", r)
			}
			if want := strings.TrimSuffix(strings.TrimPrefix(b.URL(), "http://"), "/"); !r.Archive && r.Host != want || r.Archive && r.Host != b.ArchiveHost() {
				t.Errorf("asked of another host: %+v", r)
			}
		}
	}
}

// The address of a private archive is good for that repository, for five
// minutes.
func TestTarballLink(t *testing.T) {
	t.Parallel()
	clock := &clock{now: time.Now()}
	b := newBench(t, sim.Options{Now: clock.Now}, true)
	b.AddUser("octo", "token", []string{"repo"})
	b.commit("first", map[string]string{"a": "a"})
	b.push("main")
	other, err := b.CreateRepository(t.Context(), "octo", "other", true)
	if err != nil {
		t.Fatal(err)
	}
	b.git("push", "--quiet", other, "main")
	code, header, _ := b.get("/repos/octo/hello/tarball", "token", "")
	location := header.Get("Location")
	if code != http.StatusFound || !strings.Contains(location, "/legacy.tar.gz/refs/heads/main?token=") {
		t.Fatalf("got %d to %s", code, location)
	}
	status := func(to string) int {
		code, _, _ := do(t, http.MethodHead, to, "", "", "")
		return code
	}
	bare, _, _ := strings.Cut(location, "?")
	for to, want := range map[string]int{
		location: 200, bare: 404, bare + "?token=guess": 404, strings.Replace(location, "/hello/", "/other/", 1): 404,
	} {
		if got := status(to); got != want {
			t.Errorf("%s: got %d, want %d", to, got, want)
		}
	}
	clock.advance(5*time.Minute + time.Second)
	if got := status(location); got != 404 {
		t.Errorf("after five minutes: got %d, want 404", got)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, true)
	commit := b.commit("first", map[string]string{"a": "a"})
	b.push("main")
	b.AddUser("octo", "owner", []string{"repo"})
	b.AddUser("octo", "fine", nil)
	b.AddUser("octo", "narrow", []string{"public_repo"})
	b.AddUser("friend", "friend", []string{"repo"})
	b.AddUser("stranger", "stranger", []string{"repo"})
	b.AddUser("octo", "revoked", nil)
	b.RevokeToken("revoked")
	if err := b.Share("octo", "hello", "Friend"); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{
		"": 404, "owner": 200, "fine": 200, "narrow": 404, "friend": 200, "stranger": 404, "wrong": 401, "revoked": 401,
	} {
		for _, path := range []string{"", "/contents/a", "/tarball/main", "/statuses/" + commit} {
			code, header, body := b.get("/repos/OCTO/Hello"+path, token, "")
			if code == 302 {
				code = 200
			}
			if code != want {
				t.Errorf("token %q: %s: got %d, want %d", token, path, code, want)
			}
			if code >= 400 && !strings.Contains(body, `"message":`) {
				t.Errorf("token %q: refused with %s", token, body)
			}
			if _, sent := header["X-Oauth-Scopes"]; code == 200 && sent == (token == "fine") {
				t.Errorf("token %q: scopes sent: %t", token, sent)
			}
		}
	}
	if code, _, _ := b.get("/repos/octo/nothing", "owner", ""); code != 404 {
		t.Errorf("no such repository: got %d", code)
	}
	var repo map[string]any
	_, _, body := b.get("/repos/octo/hello", "owner", "")
	if err := json.Unmarshal([]byte(body), &repo); err != nil || repo["full_name"] != "octo/hello" || repo["private"] != true || repo["default_branch"] != "main" {
		t.Errorf("got %v, %v", repo, err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	commit := b.commit("first", map[string]string{"a": "a"})
	b.push("main")
	b.AddUser("octo", "token", []string{"repo:status"})
	b.AddUser("stranger", "classic", []string{"repo"})
	b.AddUser("stranger", "fine", nil)
	b.AddUser("octo", "none", []string{"user"})
	client := b.client()
	set := func(token core.Secret, commit string, s deploy.CommitStatus) error {
		return client.CommitStatus(t.Context(), hello(), commit, s, token)
	}
	for _, s := range []deploy.CommitStatus{
		{State: "pending", Description: "deploying"},
		{State: "success", Description: strings.Repeat("ü", 500), TargetURL: "https://app.example"},
	} {
		if err := set(core.NewSecret("token"), commit, s); err != nil {
			t.Fatal(err)
		}
	}
	got := b.Statuses("octo", "hello", commit)
	if len(got) != 2 || got[0].State != "success" || *got[0].TargetURL != "https://app.example" || got[1].State != "pending" ||
		*got[1].Description != "deploying" || got[0].Creator.Login != "octo" || got[0].Context == "default" {
		t.Errorf("got %+v", got)
	}
	for _, path := range []string{"/statuses/main", "/commits/main/statuses"} {
		var listed []sim.Status
		_, _, body := b.get("/repos/octo/hello"+path, "", "")
		if err := json.Unmarshal([]byte(body), &listed); err != nil || !reflect.DeepEqual(listed, got) {
			t.Errorf("%s: got %s, %v", path, body, err)
		}
	}
	ok := deploy.CommitStatus{State: "success"}
	for name, test := range map[string]struct{ got, want error }{
		"no token":       {set(core.Secret{}, commit, ok), core.ErrUnauthorized},
		"wrong token":    {set(core.NewSecret("wrong"), commit, ok), core.ErrUnauthorized},
		"stranger":       {set(core.NewSecret("classic"), commit, ok), core.ErrNotFound},
		"stranger, fine": {set(core.NewSecret("fine"), commit, ok), core.ErrForbidden},
		"no scope":       {set(core.NewSecret("none"), commit, ok), core.ErrNotFound},
		"no such commit": {set(core.NewSecret("token"), strings.Repeat("1", 40), ok), core.ErrNotFound},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: got %v, want %v", name, test.got, test.want)
		}
	}
	to := b.URL() + "repos/octo/hello/statuses/" + commit
	for body, want := range map[string]int{
		`{"state":"great"}`: 422,
		`{"state":"success","description":"` + strings.Repeat("x", 141) + `"}`: 422,
		`{"state":"success","target_url":"javascript:alert(1)"}`:               422,
		`{`:                   400,
		`{"state":"failure"}`: 201,
	} {
		if code, _, answer := do(t, http.MethodPost, to, "token", "", body); code != want {
			t.Errorf("%.60s: got %d %s, want %d", body, code, answer, want)
		}
	}
	if got := b.Statuses("octo", "hello", commit); got[0].Context != "default" {
		t.Errorf("without a context: got %q", got[0].Context)
	}
}
