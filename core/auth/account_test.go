package auth_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/coretest"
)

// messenger accepts every address but "bad", and records what is sent.
type messenger struct {
	sent []string
	fail error
}

func (m *messenger) Check(address core.Secret) error {
	if address.Reveal() == "bad" {
		return errors.New("invalid address of a service")
	}
	return nil
}

func (m *messenger) Send(_ context.Context, address core.Secret, text, _ string) error {
	m.sent = append(m.sent, address.Reveal()+": "+text)
	return m.fail
}

func setup() (*auth.Service, *coretest.Accounts, *messenger) {
	accounts, m := coretest.NewAccounts(), &messenger{}
	accounts.AddUser("dscape", core.NewSecret("password"))
	return auth.New(auth.Options{Accounts: accounts, Messenger: m}), accounts, m
}

// want fails the test unless err has the code; "" is no error.
func want(t *testing.T, what string, err error, code core.Code) {
	t.Helper()
	if core.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %q", what, err, code)
	}
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	s, accounts, _ := setup()
	token, err := s.AddAPIToken(t.Context(), "dscape", "ci", false)
	want(t, "add", err, "")
	account, err := accounts.Authenticate(t.Context(), core.Credentials{Username: "dscape", Password: token})
	if err != nil || !account.Token {
		t.Errorf("authenticated by the token: %+v, %v", account, err)
	}
	_, err = s.AddAPIToken(t.Context(), "dscape", "ci", false)
	want(t, "add again", err, core.CodeAccountConflict)
	replaced, err := s.AddAPIToken(t.Context(), "dscape", "ci", true)
	want(t, "replace", err, "")
	if replaced.Equal(token) {
		t.Error("the token was not replaced")
	}
	_, err = s.AddAPIToken(t.Context(), "dscape", "a b", false)
	want(t, "an invalid name", err, core.CodeAuthParams)
	if names, err := s.APITokens(t.Context(), "dscape"); err != nil || !slices.Equal(names, []string{"ci"}) {
		t.Errorf("the names: %q, %v", names, err)
	}
	want(t, "remove", s.RemoveAPIToken(t.Context(), "dscape", "ci"), "")
	want(t, "remove again", s.RemoveAPIToken(t.Context(), "dscape", "ci"), core.CodeAccountNotFound)
}

// Two secrets of different names are valid at once; one is changed and removed
// without the other.
func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	s, accounts, _ := setup()
	target := &core.Target{Branch: "staging", App: "hello-staging"}
	first, err := s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "one", Required: true}, false)
	want(t, "add", err, "")
	_, err = s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "two", Target: target}, false)
	want(t, "add another", err, "")
	_, err = s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "one"}, false)
	want(t, "add again", err, core.CodeAccountConflict)
	_, err = s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "three", Target: &core.Target{App: "a b"}}, false)
	want(t, "an invalid target", err, core.CodeAuthParams)

	want(t, "change", s.ChangeSecret(t.Context(), "dscape", "one", target), "")
	want(t, "change nothing", s.ChangeSecret(t.Context(), "dscape", "three", target), core.CodeAccountNotFound)
	list, err := s.WebhookSecrets(t.Context(), "dscape")
	if err != nil || len(list) != 2 || list[0].Name != "one" || !list[0].Required || !list[0].Target.Equal(*target) || list[1].Name != "two" {
		t.Errorf("listed %+v, %v", list, err)
	}
	stored, err := accounts.Tokens(t.Context(), "dscape", true)
	if err != nil || !slices.ContainsFunc(stored, func(t core.ThirdPartyToken) bool { return t.ID == "one" && t.Token.Equal(first) }) {
		t.Errorf("the change replaced the secret: %v", err)
	}
	second, err := s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "one"}, true)
	want(t, "replace", err, "")
	if second.Equal(first) {
		t.Error("the secret was not replaced")
	}
	want(t, "remove", s.RemoveSecret(t.Context(), "dscape", "one"), "")
	want(t, "remove again", s.RemoveSecret(t.Context(), "dscape", "one"), core.CodeAccountNotFound)
}

// A secret that is replaced while its target is changed does not come back.
func TestChangeWhileReplaced(t *testing.T) {
	t.Parallel()
	s, accounts, _ := setup()
	for range 500 {
		_, err := s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "one"}, true)
		want(t, "add", err, "")
		var changing sync.WaitGroup
		changing.Go(func() { want(t, "change", s.ChangeSecret(t.Context(), "dscape", "one", nil), "") })
		latest, err := s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "one"}, true)
		want(t, "replace", err, "")
		changing.Wait()
		stored, err := accounts.Tokens(t.Context(), "dscape", true)
		if err != nil || !slices.ContainsFunc(stored, func(t core.ThirdPartyToken) bool { return t.ID == "one" && t.Token.Equal(latest) }) {
			t.Fatalf("the secret before is stored, %v", err)
		}
	}
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	s, _, m := setup()
	address := core.NewSecret("ntfy+https://ntfy.sh/x")
	want(t, "add", s.AddNotification(t.Context(), "dscape", auth.Notification{Name: "team", On: auth.OnChange}, address, false), "")
	want(t, "add again", s.AddNotification(t.Context(), "dscape", auth.Notification{Name: "team"}, address, false), core.CodeAccountConflict)
	want(t, "a bad address", s.AddNotification(t.Context(), "dscape", auth.Notification{Name: "x"}, core.NewSecret("bad"), false), core.CodeAuthParams)
	want(t, "a bad app", s.AddNotification(t.Context(), "dscape", auth.Notification{Name: "x", App: "a b"}, address, false), core.CodeAuthParams)
	want(t, "a bad time", s.AddNotification(t.Context(), "dscape", auth.Notification{Name: "x", On: "never"}, address, false), core.CodeAuthParams)
	list, err := s.Notifications(t.Context(), "dscape")
	if err != nil || !slices.Equal(list, []auth.Notification{{Name: "team", App: core.AnyApp, On: auth.OnChange}}) {
		t.Errorf("listed %+v, %v", list, err)
	}
	want(t, "test", s.TestNotification(t.Context(), "dscape", "team"), "")
	if !slices.Equal(m.sent, []string{"ntfy+https://ntfy.sh/x: A test message of webhooks for dscape"}) {
		t.Errorf("sent %q", m.sent)
	}
	m.fail = errors.New("the service answers 404")
	want(t, "a test that fails", s.TestNotification(t.Context(), "dscape", "team"), core.CodeNotificationFailed)

	// A token of another kind is neither replaced nor removed.
	_, err = s.AddWebhookSecret(t.Context(), "dscape", auth.WebhookSecret{Name: "team"}, true)
	want(t, "a secret of that name", err, core.CodeAccountConflict)
	want(t, "remove it as a secret", s.RemoveSecret(t.Context(), "dscape", "team"), core.CodeAccountNotFound)
	want(t, "remove", s.RemoveNotification(t.Context(), "dscape", "team"), "")
	want(t, "remove again", s.RemoveNotification(t.Context(), "dscape", "team"), core.CodeAccountNotFound)

	without := auth.New(auth.Options{Accounts: coretest.NewAccounts()})
	want(t, "without a messenger", without.AddNotification(t.Context(), "dscape", auth.Notification{Name: "x"}, address, false), core.CodeAuthParams)
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	s, accounts, _ := setup()
	none := core.Secret{}
	want(t, "nothing", s.UpdateUser(t.Context(), "dscape", none, ""), core.CodeAuthParams)
	want(t, "a short password", s.UpdateUser(t.Context(), "dscape", core.NewSecret("1234567"), ""), core.CodeAuthParams)
	want(t, "an invalid address", s.UpdateUser(t.Context(), "dscape", none, "dscape"), core.CodeAuthParams)
	want(t, "both", s.UpdateUser(t.Context(), "dscape", core.NewSecret("12345678"), "dscape@example.org"), "")
	if _, err := accounts.Authenticate(t.Context(), core.Credentials{Username: "dscape", Password: core.NewSecret("12345678")}); err != nil || accounts.Email("dscape") != "dscape@example.org" {
		t.Errorf("not changed: %v, %q", err, accounts.Email("dscape"))
	}
	accounts.Fail("UpdateUser", errors.New("down"))
	want(t, "the platform is down", s.UpdateUser(t.Context(), "dscape", none, "dscape@example.org"), core.CodeUpdateUserFailed)
}
