package cli_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// A user manages the own account from another machine, by the API alone. What needs
// the password does not use the token of the login.
func TestAccount(t *testing.T) {
	t.Parallel()
	accounts := coretest.NewAccounts()
	accounts.AddUser("dscape", core.NewSecret("password1"))
	token, err := accounts.CreateAPIToken(t.Context(), "dscape", "login")
	if err != nil {
		t.Fatal(err)
	}
	api := httpapi.New(httpapi.Options{Auth: auth.New(auth.Options{Accounts: accounts}), NewUUID: func() string { return id }})
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	dir := t.TempDir()
	logins := filepath.Join(dir, "contexts.json")
	if err := os.WriteFile(logins, []byte(`{"current":"x","logins":{"x":{"url":"`+server.URL+`","user":"dscape","token":"`+token.Reveal()+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("password1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(stdin string, code int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		got := cli.Run(t.Context(), cli.IO{
			Args: args, Environ: []string{"WEBHOOKS_CONTEXTS=" + logins}, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		}, "")
		if got != code {
			t.Errorf("%q: code %d, %s%s", args, got, &out, &errs)
		}
		return out.String() + errs.String()
	}
	if said := call("", 2, "tokens", "add", "dscape", "ci"); !strings.Contains(said, "WEBHOOKS_PASSWORD or --password-file") {
		t.Errorf("a token by the token of the login: %s", said)
	}
	made := core.NewSecret(strings.TrimSpace(call("", 0, "tokens", "add", "dscape", "ci", "--password-file", password)))
	if account, err := accounts.Authenticate(t.Context(), core.Credentials{Username: "dscape", Password: made}); err != nil || !account.Token {
		t.Errorf("the token is not valid: %v", err)
	}
	if said := call("", 1, "tokens", "add", "dscape", "ci", "--password-file", password); !strings.Contains(said, "set --replace") {
		t.Errorf("again: %s", said)
	}
	if said := call("", 0, "tokens", "list", "dscape"); said != "ci\nlogin\n" {
		t.Errorf("listed %q", said)
	}
	call("", 0, "tokens", "remove", "dscape", "ci", "--password-file", password)

	one, two := call("", 0, "secrets", "add", "dscape", "one", "--required"), call("", 0, "secrets", "add", "dscape", "two", "--branch", "main")
	if said := call("", 1, "secrets", "add", "dscape", "one"); !strings.Contains(said, "set --replace") || one == two {
		t.Errorf("again: %s", said)
	}
	call("", 0, "secrets", "change", "dscape", "one", "--app", "hello")
	if said := call("", 0, "secrets", "list", "dscape"); said != "one\tapp=hello\trequired\ntwo\tbranch=main\n" {
		t.Errorf("listed %q", said)
	}
	call("", 0, "secrets", "remove", "dscape", "one")
	if said := call("", 1, "secrets", "remove", "dscape", "one"); !strings.Contains(said, "nothing has that name: list the names by `webhooks secrets list dscape`") {
		t.Errorf("removed again: %s", said)
	}
	if said := call("", 0, "notify", "list", "dscape", "--output", "json"); said != "[]\n" {
		t.Errorf("listed %q", said)
	}

	// With a data folder, the server on it is meant.
	if said := call("", 1, "secrets", "list", "dscape", "--data", dir); !strings.Contains(said, "no server is running on the data folder "+dir) {
		t.Errorf("with --data: %s", said)
	}
	names, err := accounts.APITokens(t.Context(), "dscape")
	if err != nil || !slices.Equal(names, []string{"login"}) {
		t.Errorf("tokens %q, %v", names, err)
	}
}
