package chat

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/post"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Options configure a [Chat]. Tokens and Former are required.
type Options struct {
	// Tokens returns a user's third-party tokens. Those with the provider
	// [core.TokenNotification] are addresses of services: see [Chat.Check].
	Tokens func(ctx context.Context, user string) ([]core.ThirdPartyToken, error)
	// Former returns the outcome, ok or error, of the app's deployment before e; ""
	// if there is none.
	Former func(ctx context.Context, e core.Entry) (core.Status, error)
	// Link returns the URL of an entry for people; nil: messages have none.
	Link func(e core.Entry) string
	// PrivateHosts are names, without a port, that may have private addresses. All
	// other addresses are users' choice, and must be public.
	PrivateHosts []string
}

// Chat is a [deploy.Notifier] and an [auth.Messenger]. It may be used concurrently.
type Chat struct {
	o Options

	mu   sync.Mutex
	sent map[string][]string // by outcome: ids of the services that have it, until all do
}

var (
	_ deploy.Notifier = (*Chat)(nil)
	_ auth.Messenger  = (*Chat)(nil)
)

// New returns a Chat.
func New(o Options) *Chat { return &Chat{o: o, sent: map[string][]string{}} }

// Name implements deploy.Notifier.
func (c *Chat) Name() string { return "chat" }

// Notify implements deploy.Notifier. If it is called again after an error, only
// the services that failed are notified.
func (c *Chat) Notify(ctx context.Context, e core.Entry) error {
	if e.User == "" || e.Status != core.StatusOK && e.Status != core.StatusError {
		return nil
	}
	tokens, err := c.o.Tokens(ctx, e.User)
	if errors.Is(err, core.ErrNotFound) {
		return nil // the user was removed
	}
	if err != nil {
		return fmt.Errorf("chat: the services of %s: %w", e.User, err)
	}
	outcome := e.ID + "." + strconv.FormatInt(e.Revision, 10)
	var failures []error
	for _, t := range tokens {
		if t.Provider != core.TokenNotification || t.App != core.AnyApp && t.App != e.App || c.has(outcome, t.ID) {
			continue
		}
		wanted, err := c.wanted(ctx, t, e)
		if err == nil && wanted {
			err = c.Send(ctx, t.Token, c.text(e), outcome)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("service %s of %s: %w", t.ID, e.User, err))
			continue
		}
		c.record(outcome, t.ID)
	}
	if err := errors.Join(failures...); err != nil {
		if _, again := core.Retryable(err); again {
			return err
		}
		c.forget(outcome)
		return err
	}
	c.forget(outcome)
	return nil
}

// wanted reports whether a service is to be notified of an outcome.
func (c *Chat) wanted(ctx context.Context, t core.ThirdPartyToken, e core.Entry) (bool, error) {
	if !slices.Contains(t.Scopes, auth.OnChange) {
		return true, nil
	}
	former, err := c.o.Former(ctx, e)
	if former == "" {
		return e.Status == core.StatusError, err
	}
	return former != e.Status, err
}

func (c *Chat) has(outcome, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.sent[outcome], id)
}

// maxSent limits the memory for outcomes whose retries were given up.
const maxSent = 1000

func (c *Chat) record(outcome, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) >= maxSent {
		clear(c.sent)
	}
	c.sent[outcome] = append(c.sent[outcome], id)
}

func (c *Chat) forget(outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sent, outcome)
}

// text describes an outcome in two or three lines.
func (c *Chat) text(e core.Entry) string {
	about := ""
	if id := e.Commit.ID; id != "" {
		about = " " + id[:min(len(id), 7)]
		if e.Branch != "" {
			about += " of " + e.Branch
		}
	}
	subject, _, _ := strings.Cut(e.Commit.Message, "\n")
	if subject != "" && e.Commit.Author.Name != "" {
		subject += " (" + e.Commit.Author.Name + ")"
	}
	lines := []string{"✅ " + e.Headline() + about}
	last := e.URL
	if e.Status == core.StatusError {
		lines[0], last = "❌ "+e.Headline()+about, ""
		if e.Error != nil {
			last = e.Error.Reason
		}
	}
	lines = append(lines, subject, last)
	if c.o.Link != nil {
		lines = append(lines, c.o.Link(e))
	}
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return line == "" }), "\n")
}

// Send sends a text to the service with that address. unique identifies the message
// to services that recognize repeats.
func (c *Chat) Send(ctx context.Context, address core.Secret, text, unique string) error {
	m, err := newMessage(address, text, unique)
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	u, err := url.Parse(m.url)
	if err != nil {
		return fmt.Errorf("chat: %w", errAddress)
	}
	// The credentials of headers and of the URL's own user are removed from errors
	// without being named here.
	secrets := []core.Secret{address, core.NewSecret(strings.TrimPrefix(u.RequestURI(), "/"))}
	if chosen, err := url.Parse(strings.TrimSpace(address.Reveal())); err == nil {
		password, _ := chosen.User.Password()
		for _, secret := range []string{password, chosen.Query().Get("token"), chosen.Query().Get("key"), strings.TrimPrefix(chosen.Path, "/")} {
			secrets = append(secrets, core.NewSecret(secret))
		}
	}
	req, err := m.request(ctx)
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	client := post.New(c.guard(u), time.Now)
	defer client.Close()
	if err := client.Do(req, secrets...); err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	return nil
}

// guard returns the guard for a URL that a user has chosen.
func (c *Chat) guard(u *url.URL) *guard.Guard {
	if slices.ContainsFunc(c.o.PrivateHosts, func(host string) bool { return strings.EqualFold(host, u.Hostname()) }) {
		return guard.ForURL(u, c.o.PrivateHosts)
	}
	return guard.New(nil)
}
