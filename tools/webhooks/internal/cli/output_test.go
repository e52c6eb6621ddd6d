//go:build linux

// The embedded platform, which these tests call, needs Linux.

package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// withoutOutput lists the commands that have no --output: those that print a program for
// a shell, one that prints what an app prints, and the servers.
var withoutOutput = []string{"completion bash", "completion fish", "completion powershell", "completion zsh", "platform", "run", "serve"}

// commands returns the commands that print something of their own, by path.
func commands() (with, without []string) {
	var visit func(c *cobra.Command, path string)
	visit = func(c *cobra.Command, path string) {
		for _, below := range c.Commands() {
			visit(below, strings.TrimSpace(path+" "+below.Name()))
		}
		switch {
		case c.Flags().Lookup("output") != nil:
			with = append(with, path)
		case !c.HasSubCommands():
			without = append(without, path)
		}
	}
	visit(cli.Root(), "")
	return with, without
}

// Each command that prints has --output, and prints one JSON value with it.
func TestEachCommandPrintsJSON(t *testing.T) {
	t.Parallel()
	with, without := commands()
	if slices.Sort(without); !slices.Equal(without, withoutOutput) {
		t.Errorf("without --output: %q, want %q", without, withoutOutput)
	}

	b := setup(t)
	api := fakeAPI(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, secret, newPassword := file("key", b.Key().Reveal()), file("password", password), file("new", "new password")
	environ := append(os.Environ(), "WEBHOOKS_CONTEXTS="+filepath.Join(dir, "contexts.json"))
	ran := map[string]bool{}
	// prints runs a command line with --output json, and returns the value.
	prints := func(path string, code int, args ...string) map[string]any {
		t.Helper()
		ran[path] = true
		var out, errs bytes.Buffer
		got := cli.Run(t.Context(), cli.IO{
			Args: append(append(strings.Fields(path), "--output", "json"), args...), Environ: environ,
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		}, "v1.2.3")
		var value any
		decoder := json.NewDecoder(&out)
		if err := decoder.Decode(&value); got != code || err != nil {
			t.Errorf("%s: code %d, %v: %s", path, got, err, &errs)
		}
		if rest, _ := io.ReadAll(io.MultiReader(decoder.Buffered(), &out)); len(bytes.TrimSpace(rest)) > 0 {
			t.Errorf("%s prints %q after the JSON", path, rest)
		}
		object, _ := value.(map[string]any)
		return object
	}

	// On this machine.
	prints("version", 0)
	prints("config check", 0)
	prints("config show", 0)
	prints("doctor", 1, "--data", dir, "--listen", "127.0.0.1:1", "--domain", "x.invalid")
	keys := filepath.Join(dir, "keys")
	prints("keys rotate", 0, "--seal-keys-file", keys)
	prints("keys list", 0, "--seal-keys-file", keys)
	data := t.TempDir()
	store := bolt.New(bolt.Options{Path: filepath.Join(data, "webhooks.db")})
	if err := store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	prints("admin check", 0, "--data", data)
	prints("admin compact", 0, "--data", data)
	prints("admin end-apps", 0, "--data", data)
	archive := filepath.Join(dir, "backup.tar.gz")
	if made := prints("admin backup", 0, archive, "--data", data); made["file"] != archive || made["bytes"] == 0.0 {
		t.Errorf("admin backup: %v", made)
	}
	prints("admin restore", 0, archive, "--data", filepath.Join(dir, "restored"))

	// Users, and the account of one, at the platform.
	server := []string{"--platform-url", b.URL(), "--platform-key-file", key}
	at := func(args ...string) []string { return append(args, server...) }
	prints("users add", 0, at("new", "--new-password-file", newPassword)...)
	prints("users list", 0, server...)
	prints("users admin", 0, at("new")...)
	prints("users passwd", 0, at("new", "--new-password-file", newPassword)...)
	prints("users email", 0, at("new", "new@example.com")...)
	code := file("code", prints("users invite", 0, at("new")...)["code"].(string))
	prints("users confirm", 0, "new", "--to", b.URL(), "--code-file", code, "--new-password-file", newPassword)
	if made := prints("tokens add", 0, at("new", "ci")...); made["name"] != "ci" || len(made["token"].(string)) < 20 {
		t.Errorf("tokens add: %v", made)
	}
	prints("tokens list", 0, at("new")...)
	prints("tokens remove", 0, at("new", "ci")...)
	if made := prints("secrets add", 0, at("new", "one")...); made["name"] != "one" || len(made["secret"].(string)) < 20 {
		t.Errorf("secrets add: %v", made)
	}
	prints("secrets change", 0, at("new", "one", "--branch", "main")...)
	prints("secrets list", 0, at("new")...)
	prints("secrets remove", 0, at("new", "one")...)
	chat := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer chat.Close()
	prints("notify add", 0, at("new", "team", "--address-file", file("address", "ntfy+"+chat.URL+"/topic"))...)
	prints("notify list", 0, at("new")...)
	prints("notify test", 0, at("new", "team", "--private-hosts", "127.0.0.1")...)
	prints("notify remove", 0, at("new", "team")...)
	prints("users remove", 0, at("new", "--yes")...)

	// Apps.
	mine := func(args ...string) []string {
		return append(args, "--to", b.URL(), "--user", "dscape", "--password-file", secret)
	}
	prints("apps create", 0, mine("hello")...)
	prints("deploy", 0, mine(folder(t, hello("one")))...)
	prints("deploy", 0, mine(folder(t, hello("two")))...)
	for _, path := range []string{"apps start", "apps restart", "apps view", "apps limits", "apps source", "apps env list", "apps domains list", "rollback", "logs", "open"} {
		if path == "logs" {
			prints(path, 0, mine("hello", "-n", "1")...)
			continue
		}
		prints(path, 0, mine("hello")...)
	}
	prints("apps list", 0, mine()...)
	prints("apps drones", 0, mine("hello", "1")...)
	prints("apps env set", 0, mine("hello", "A=b")...)
	prints("apps env delete", 0, mine("hello", "A")...)
	prints("apps domains add", 0, mine("hello", "www.example.com")...)
	prints("apps domains remove", 0, mine("hello", "www.example.com")...)
	prints("apps stop", 0, mine("hello")...)
	prints("apps destroy", 0, mine("hello", "--yes")...)

	// At a service, with a login.
	prints("login", 0, api, "--user", "dscape", "--password-file", secret, "--name", "x")
	prints("contexts", 0)
	prints("contexts use", 0, "x")
	for _, path := range []string{"entry", "release", "redeliver", "cancel"} {
		if got := prints(path, 0, id, "--context", "x"); got["app_name"] != "hello" {
			t.Errorf("%s: %v", path, got)
		}
	}
	prints("status", 0)
	prints("tail", 0, "--since", "0", "--once")
	prints("pair", 0, "github", "dscape", "--token-file", secret)
	prints("connect", 0, "github", "dscape/hello")
	prints("logout", 0)

	if all := slices.Sorted(maps.Keys(ran)); !slices.Equal(slices.Sorted(slices.Values(with)), all) {
		t.Errorf("tried\n%q, want\n%q", all, slices.Sorted(slices.Values(with)))
	}
}

// fakeAPI serves the account of dscape, and one entry, and returns its URL.
func fakeAPI(t *testing.T) string {
	t.Helper()
	accounts := coretest.NewAccounts()
	accounts.AddUser("dscape", core.NewSecret(password))
	account := httpapi.New(httpapi.Options{Auth: auth.New(auth.Options{Accounts: accounts}), NewUUID: func() string { return id }}).Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/1/users/"):
			account.ServeHTTP(w, r)
		case strings.HasSuffix(path, "/webhooks"):
			w.Header().Set("X-Total-Count", "1")
			_, _ = io.WriteString(w, "["+entry("ok", "")+"]")
		case strings.Contains(path, "/connect"):
			_, _ = io.WriteString(w, `{"ok":true,"url":"http://host/1/deploy","events":["push"],"created":true}`)
		case strings.HasPrefix(path, "/1/auth/"):
			_, _ = io.WriteString(w, `{"ok":true,"provider":"github","login":"dscape"}`)
		default:
			_, _ = io.WriteString(w, change(3, "ok", ""))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// An admin adds, lists and removes users from another machine with a login. What
// changes users needs the password.
func TestUsersFromAnotherMachine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token, err := b.client.CreateToken(t.Context(), "dscape", "login")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	logins, passwords := filepath.Join(dir, "contexts.json"), filepath.Join(dir, "passwords")
	for path, text := range map[string]string{
		logins:    `{"current":"other","logins":{"x":{"url":"http://x.invalid","platform":"` + b.URL() + `","user":"dscape","token":"` + token.Reveal() + `"},"other":{"url":"http://other.invalid","platform":"http://127.0.0.1:1","user":"me"}}}`,
		passwords: password + "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	call := func(want int, stdin string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), cli.IO{
			Args: append([]string{"users"}, args...), Environ: []string{"WEBHOOKS_CONTEXTS=" + logins, "WEBHOOKS_USER=another"},
			Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		}, "")
		if code != want {
			t.Errorf("%q: code %d, %s%s", args, code, &out, &errs)
		}
		return out.String() + errs.String()
	}
	if said := call(1, "", "list", "--context", "x"); !strings.Contains(said, "Only an admin may do that") {
		t.Errorf("not yet an admin: %s", said)
	}
	if err := b.as(core.ServiceUser, b.Key()).SetAdmin(t.Context(), "dscape", true); err != nil {
		t.Fatal(err)
	}
	if said := call(0, "", "list", "--context", "x"); said != "dscape    admin\n" {
		t.Errorf("listed %q", said)
	}
	if said := call(2, "new password\n", "add", "new", "--context", "x", "--new-password-file", "-"); !strings.Contains(said, "WEBHOOKS_PASSWORD or --password-file") {
		t.Errorf("by the token of the login: %s", said)
	}
	call(0, "new password\n", "add", "new", "--context", "x", "--password-file", passwords, "--new-password-file", "-", "--admin")
	users, err := b.as("new", core.NewSecret("new password")).Users(t.Context())
	if err != nil || !slices.ContainsFunc(users, func(u nodejitsu.User) bool { return u.Username == "new" && u.Admin }) {
		t.Errorf("%v, %v", users, err)
	}
	call(0, "", "remove", "new", "--yes", "--context", "x", "--password-file", passwords)
	if said := call(2, "", "list"); !strings.Contains(said, "WEBHOOKS_PASSWORD or --password-file") { // of another
		t.Errorf("without --context: %s", said)
	}
	if said := call(2, "", "list", "--context", "none"); !strings.Contains(said, `no login named "none"`) {
		t.Errorf("an unknown one: %s", said)
	}
}
