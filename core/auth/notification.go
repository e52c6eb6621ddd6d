package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// Values of Notification.On.
const (
	OnEach   = "each"   // each outcome
	OnChange = "change" // a failure after a success, and a success after a failure
)

// Notification is a chat service that is notified of the outcomes of a user's
// deployments, without its address.
type Notification struct {
	Name string `json:"name"`
	App  string `json:"app"` // the one app whose deployments are reported; "" or core.AnyApp: all
	On   string `json:"on"`  // OnEach, which "" is too, or OnChange
}

// Notifications returns the services that are notified, by name. It fails with
// [core.CodeGetUserFailed].
func (s *Service) Notifications(ctx context.Context, user string) ([]Notification, error) {
	tokens, err := s.tokensOf(ctx, user, core.TokenNotification)
	if err != nil {
		return nil, err
	}
	all := []Notification{}
	for _, t := range tokens {
		n := Notification{Name: t.ID, App: t.App, On: OnEach}
		if slices.Contains(t.Scopes, OnChange) {
			n.On = OnChange
		}
		all = append(all, n)
	}
	return all, nil
}

// AddNotification adds a service that is notified, whose address can't be read again. It
// fails with [core.CodeAccountConflict] if the user has a token of that name, unless
// that is a notification and replace is set, and with [core.CodeAuthParams],
// [core.CodeGetUserFailed] and [core.CodeUpdateUserFailed].
func (s *Service) AddNotification(ctx context.Context, user string, n Notification, address core.Secret, replace bool) error {
	if n.App == "" {
		n.App = core.AnyApp
	}
	if n.On == "" {
		n.On = OnEach
	}
	if n.App != core.AnyApp {
		if err := checkName("app", n.App); err != nil {
			return err
		}
	}
	if n.On != OnEach && n.On != OnChange {
		return core.Errorf(core.CodeAuthParams, "invalid on %.100q: want each or change", n.On)
	}
	if err := s.o.Messenger.Check(address); err != nil {
		return core.Errorf(core.CodeAuthParams, "%v", err)
	}
	return s.add(ctx, user, "service", core.ThirdPartyToken{
		ID: n.Name, Provider: core.TokenNotification, App: n.App, Scopes: []string{n.On}, Token: address,
	}, replace)
}

// TestNotification sends a message to a service. It fails with
// [core.CodeAccountNotFound], [core.CodeGetUserFailed] and
// [core.CodeNotificationFailed].
func (s *Service) TestNotification(ctx context.Context, user, name string) error {
	service, err := s.token(ctx, user, core.TokenNotification, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	if err := s.o.Messenger.Send(ctx, service.Token, "A test message of webhooks for "+user, s.o.NewSecret()); err != nil {
		return core.NewError(core.CodeNotificationFailed, core.Reason(core.CodeNotificationFailed)+": "+err.Error()+". "+core.Remedy(core.CodeNotificationFailed), err)
	}
	return nil
}

// RemoveNotification removes a service that is notified. It fails with
// [core.CodeAccountNotFound], [core.CodeGetUserFailed] and
// [core.CodeUpdateUserFailed].
func (s *Service) RemoveNotification(ctx context.Context, user, name string) error {
	return s.remove(ctx, user, core.TokenNotification, name)
}

// noMessenger refuses every address.
type noMessenger struct{}

// Check implements Messenger.
func (noMessenger) Check(core.Secret) error { return errNoMessenger }

// Send implements Messenger.
func (noMessenger) Send(context.Context, core.Secret, string, string) error { return errNoMessenger }

var errNoMessenger = errors.New("this server sends no messages to chat services")
