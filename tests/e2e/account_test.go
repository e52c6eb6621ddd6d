package e2e

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A user manages the own account over the one public address: by HTTP and, after a
// login, by the commands.
func TestOwnAccount(t *testing.T) {
	t.Parallel()
	s := serve(t, "--private-hosts", "127.0.0.1")
	var notified atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if notified.Add(1) > 1 {
			w.WriteHeader(http.StatusGone)
		}
	}))
	t.Cleanup(service.Close)
	const mine = "/1/users/" + user
	want := func(r request, status int, code string) map[string]any {
		t.Helper()
		got := s.send(r)
		if got.status != status || code != "" && got.json(t)["error"] != code {
			t.Errorf("%s %s %s: got %d %s, want %d %s", r.method, r.path, r.body, got.status, got.body, status, code)
		}
		if strings.HasPrefix(got.body, "{") {
			return got.json(t)
		}
		return nil
	}

	made, _ := want(request{path: mine + "/tokens", body: `{"name":"ci"}`}, 201, "")["token"].(string)
	token := user + ":" + made
	want(request{path: mine + "/tokens", body: `{"name":"ci"}`}, 409, "auth:account:conflict")
	want(request{path: mine + "/tokens", credentials: token}, 200, "")
	want(request{path: mine + "/tokens", body: `{"name":"more"}`, credentials: token}, 403, "auth:account:password_required")
	want(request{method: "PUT", path: mine, body: `{"password":"another password"}`, credentials: token}, 403, "auth:account:password_required")
	want(request{path: mine + "/tokens", body: `{"name":"more"}`, header: map[string]string{"Sec-Fetch-Site": "cross-site"}}, 403, "http:cross_origin")
	want(request{path: mine + "/tokens", body: `{}`}, 400, "auth:params:invalid")
	want(request{path: "/1/users/other/tokens"}, 401, "mw:auth:not_you")

	want(request{path: mine + "/secrets", body: `{"name":"hook","required":true,"target":{"app":"hello"}}`, credentials: token}, 201, "")
	want(request{path: mine + "/secrets", credentials: token}, 200, "")
	want(request{method: "PUT", path: mine + "/secrets/hook", body: `{"target":null}`, credentials: token}, 200, "")
	want(request{method: "PUT", path: mine + "/secrets/none", body: `{"target":null}`, credentials: token}, 404, "auth:account:not_found")
	want(request{method: "DELETE", path: mine + "/secrets/hook", credentials: token}, 200, "")

	address := "slack+" + service.URL + "/hook"
	if got := s.send(request{path: mine + "/notifications", body: `{"name":"team","address":"` + address + `"}`}); got.status != 201 || strings.Contains(got.body, address) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	want(request{path: mine + "/notifications"}, 200, "")
	want(request{method: "POST", path: mine + "/notifications/team/test"}, 200, "")
	want(request{method: "POST", path: mine + "/notifications/team/test"}, 502, "auth:notification:failed")
	want(request{method: "DELETE", path: mine + "/notifications/team"}, 200, "")
	want(request{method: "DELETE", path: mine + "/tokens/ci"}, 200, "")
	want(request{path: mine + "/tokens", credentials: token}, 401, "mw:auth:unauthorized")

	// The commands, without the data folder.
	home := t.TempDir()
	secret := filepath.Join(home, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if out := command("login", s.api, "--user", user, "--password-file", secret); !strings.Contains(out, "log in again with --to") {
		t.Errorf("the platform has an address of its own, and login says %q", out)
	}
	hook := command("secrets", "add", user, "github")
	delivery := s.send(request{
		path: "/1/deploy?user=" + user, body: `{"zen":"x","hook_id":1}`, anonymous: true,
		header: map[string]string{"X-GitHub-Event": "ping", "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac(hook, `{"zen":"x","hook_id":1}`))},
	})
	if delivery.status != http.StatusOK {
		t.Errorf("signed with the secret: got %d %s", delivery.status, delivery.body)
	}
	if list := command("secrets", "list", user); list != "github" && !strings.HasPrefix(list, "github\t") {
		t.Errorf("got %q", list)
	}
	command("tokens", "add", user, "deploys", "--password-file", secret)
	command("tokens", "remove", user, "deploys", "--password-file", secret)
	command("secrets", "remove", user, "github")
}
