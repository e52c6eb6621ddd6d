package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

// The test binary is the program where the environment says so: the
// repositories' hooks run it.
func TestMain(m *testing.M) {
	if os.Getenv("GITHUBSIM_TEST_PROGRAM") != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(leftovers.Run(m))
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GITHUBSIM_TEST_PROGRAM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// A push to a repository of the program is delivered to its webhook, and the API
// serves what was pushed.
func TestServe(t *testing.T) {
	t.Parallel()
	events := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hub-Signature-256") == "" {
			t.Error("unsigned")
		}
		events <- r.Header.Get("X-Github-Event")
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()

	dir, clone := filepath.Join(t.TempDir(), "it's here"), t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("shh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	code := make(chan int, 1)
	go func() {
		args := []string{
			"--dir", dir, "--repo", "octo/hello", "--private", "octo/secret", "--user", "octo:token:repo,user",
			"--hook", "octo/hello=" + receiver.URL, "--hook-secret-file", secret,
		}
		code <- run(ctx, args, stdout, io.Discard)
		_ = stdout.Close()
	}()
	printed := map[string]string{}
	lines := bufio.NewScanner(out)
	for len(printed) < 5 && lines.Scan() {
		if at := strings.LastIndex(lines.Text(), " "); strings.HasPrefix(lines.Text(), "repository ") {
			fields := strings.SplitN(lines.Text(), " ", 3)
			printed[fields[1]] = fields[2]
		} else {
			printed[lines.Text()[:at]] = lines.Text()[at+1:]
		}
	}
	if printed["hook octo/hello"] != "202" || printed["octo/secret"] == "" {
		t.Fatalf("printed %q", printed)
	}
	if got := <-events; got != "ping" {
		t.Errorf("got %s, want ping", got)
	}

	git(t, clone, "init", "--quiet", "--initial-branch=main")
	git(t, clone, "commit", "--quiet", "--allow-empty", "-m", "first")
	shown := git(t, clone, "push", printed["octo/hello"], "main")
	if got := <-events; got != "push" {
		t.Errorf("got %s, want push", got)
	}
	if want := "push refs/heads/main -> " + receiver.URL + ": 202"; !strings.Contains(shown, want) {
		t.Errorf("git shows %q, want %q in it", shown, want)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, printed["api"]+"repos/octo/secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("octo", "token")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("private repository: %v, %v", resp, err)
	} else if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
	if _, err := os.Stat(addressFile(dir)); err == nil {
		t.Error("the address was left behind")
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, test := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"--help"}, 0, "Examples:", ""},
		{[]string{"pushed", "--help"}, 0, "OWNER/NAME", ""},
		{nil, 2, "", "--dir is missing"},
		{[]string{"--nope"}, 2, "", "nope"},
		{[]string{"--dir", dir, "extra"}, 2, "", "extra"},
		{[]string{"--dir", dir, "--user", "x"}, 2, "", "--user"},
		{[]string{"--dir", dir, "--repo", "x"}, 2, "", "OWNER/NAME"},
		{[]string{"--dir", dir, "--hook", "x"}, 2, "", "--hook"},
		{[]string{"--dir", dir, "--listen", "256.0.0.1:x"}, 1, "", "listen"},
		{[]string{"pushed", "--dir", dir}, 2, "", "one OWNER/NAME"},
		{[]string{"pushed", "--dir", dir, "o/r"}, 1, "", "no githubsim is serving"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), test.args, &stdout, &stderr)
		if code != test.code || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("%q: code %d, stdout %q, stderr %q", test.args, code, stdout.String(), stderr.String())
		}
	}
}
