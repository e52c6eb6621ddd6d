package smtp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// TLS is how the connection to the server is protected.
type TLS string

// The kinds of protection.
const (
	StartTLS TLS = "starttls" // begins without TLS, and must switch to it before any other command
	Implicit TLS = "tls"      // implicit TLS, as on port 465
	None     TLS = "none"     // none; for a server on this machine
)

// Options configure a [Mail]. Addr, From and Address are required.
type Options struct {
	Addr     string      // host:port of the server
	From     string      // sender, as "Webhooks <webhooks@example.com>"
	Username string      // at the server; "" for no authentication
	Password core.Secret // of Username
	TLS      TLS         // default [StartTLS]
	TLSRoots *tls.Config // default: the system's authorities

	// Address returns a user's address, "" if the user has none.
	Address func(ctx context.Context, user string) (string, error)
	// Success and Errors are the outcomes that all users are notified of, whatever
	// the delivery asks for.
	Success, Errors bool

	BaseURL string        // of this service, for links; "" for none
	Timeout time.Duration // for one response of the server; default 15 s
}

// Mail is a [deploy.Notifier]. It may be used concurrently.
type Mail struct {
	o          Options
	host, port string
}

var _ deploy.Notifier = (*Mail)(nil)

// New returns a Mail. It does not connect. It fails if Addr or From is invalid.
func New(o Options) (*Mail, error) {
	host, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("smtp: invalid address %q: want host:port", o.Addr)
	}
	if err := mail.NewMsg().From(o.From); err != nil {
		return nil, fmt.Errorf("smtp: invalid sender %q: %w", o.From, err)
	}
	o.TLS = cmp.Or(o.TLS, StartTLS)
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	return &Mail{o: o, host: host, port: port}, nil
}

// Name implements deploy.Notifier.
func (m *Mail) Name() string { return "mail" }

// Notify implements deploy.Notifier. It sends a mail to the user if the delivery or
// the options ask for one.
func (m *Mail) Notify(ctx context.Context, e core.Entry) error {
	wanted := e.Status == core.StatusOK && (e.Email.Success || m.o.Success) ||
		e.Status == core.StatusError && (e.Email.Errors || m.o.Errors)
	if !wanted || e.User == "" {
		return nil
	}
	to, err := m.o.Address(ctx, e.User)
	if err != nil {
		return fmt.Errorf("smtp: the address of %s: %w", e.User, err)
	}
	if to == "" {
		return nil
	}
	message, err := m.message(to, e)
	if err != nil {
		return err
	}
	client, err := m.client()
	if err != nil {
		return err
	}
	return m.failure(client.DialAndSendWithContext(ctx, message))
}

func (m *Mail) client() (*mail.Client, error) {
	port, err := strconv.Atoi(m.port)
	if err != nil {
		return nil, fmt.Errorf("smtp: invalid port %q", m.port)
	}
	options := []mail.Option{mail.WithPort(port), mail.WithTimeout(m.o.Timeout)}
	switch m.o.TLS {
	case Implicit:
		options = append(options, mail.WithSSL())
	case None:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.o.TLSRoots != nil {
		config := m.o.TLSRoots.Clone()
		config.ServerName = m.host
		options = append(options, mail.WithTLSConfig(config))
	}
	if m.o.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(m.o.Username), mail.WithPassword(m.o.Password.Reveal()))
	}
	client, err := mail.NewClient(m.host, options...)
	if err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return client, nil
}

// failure returns the error of sending. It is temporary unless the server refused
// permanently. It includes the server's message, without the password.
func (m *Mail) failure(err error) error {
	if err == nil {
		return nil
	}
	err = redact.New(m.o.Password).Error(err)
	refused, ok := errors.AsType[*mail.SendError](err)
	if ok && !refused.IsTemp() && refused.ErrorCode() >= 500 {
		return fmt.Errorf("smtp: %w", err)
	}
	return core.Transient(fmt.Errorf("smtp: %w", err), 0)
}

// message returns the mail about an outcome.
func (m *Mail) message(to string, e core.Entry) (*mail.Msg, error) {
	message := mail.NewMsg()
	if err := message.From(m.o.From); err != nil {
		return nil, fmt.Errorf("smtp: invalid sender: %w", err)
	}
	if err := message.To(to); err != nil {
		return nil, fmt.Errorf("smtp: invalid address of %s: %w", e.User, err)
	}
	message.Subject(line(e.Headline()))
	message.SetMessageIDWithValue(e.ID + "." + strconv.FormatInt(e.Revision, 10) + "@webhooks")
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no automatic replies
	message.SetBodyString(mail.TypeTextPlain, m.body(e))
	return message, nil
}

func (m *Mail) body(e core.Entry) string {
	var text strings.Builder
	add := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-11s %s\n", name+":", line(value))
		}
	}
	if e.Repository.Name != "" {
		add("Repository", e.Repository.Slug())
	}
	add("By", e.By)
	add("Branch", e.Branch)
	add("Commit", e.Commit.ID)
	add("Message", e.Commit.Message)
	add("App", e.App)
	add("URL", e.URL)
	if e.Error == nil && e.Provider == core.ProviderPlatform {
		add("Reason", e.Reason) // who did what
	}
	if e.Error != nil {
		add("Error", string(e.Error.Code))
		add("Reason", e.Error.Reason)
		if e.Error.Detail != "" {
			text.WriteString("\n" + clean(e.Error.Detail) + "\n")
		}
	}
	if m.o.BaseURL != "" {
		text.WriteString("\nDetails: " + m.o.BaseURL + e.Page() + "\n")
	}
	return text.String()
}

// line returns the first line of an untrusted text, cleaned.
func line(text string) string {
	first, _, _ := strings.Cut(clean(text), "\n")
	return first
}

// clean removes control and bidirectional characters, which could change how a
// terminal shows the text.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, text)
}
