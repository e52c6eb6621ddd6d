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

// TLS says how the connection to the server is protected.
type TLS string

// The kinds of protection.
const (
	StartTLS TLS = "starttls" // begins without, and must go over to TLS before anything is said
	Implicit TLS = "tls"      // TLS from the begin, as on port 465
	None     TLS = "none"     // none; for a server on this machine
)

// Options are what [New] takes. Addr, From and Address are required.
type Options struct {
	Addr     string      // host:port of the server
	From     string      // sender, as "Webhooks <webhooks@example.com>"
	Username string      // at the server; "" for no authentication
	Password core.Secret // of Username
	TLS      TLS         // default [StartTLS]
	TLSRoots *tls.Config // default: the system's authorities

	// Address returns a user's address, "" where the user has none.
	Address func(ctx context.Context, user string) (string, error)
	// Success and Errors are what is told where a delivery asks for nothing.
	Success, Errors bool

	BaseURL string        // of this service, for links; "" for none
	Timeout time.Duration // for one answer of the server; default 15 s
}

// Mail is a [deploy.Notifier]. It may be used concurrently.
type Mail struct {
	o          Options
	host, port string
}

var _ deploy.Notifier = (*Mail)(nil)

// New returns a Mail. It connects to nobody yet.
func New(o Options) (*Mail, error) {
	host, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("smtp: %q is no address; write host:port", o.Addr)
	}
	if err := mail.NewMsg().From(o.From); err != nil {
		return nil, fmt.Errorf("smtp: %q is no sender's address: %w", o.From, err)
	}
	o.TLS = cmp.Or(o.TLS, StartTLS)
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	return &Mail{o: o, host: host, port: port}, nil
}

// Name implements deploy.Notifier.
func (m *Mail) Name() string { return "mail" }

// Notify implements deploy.Notifier: it writes to the user where that was asked
// for, by the delivery or for all.
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
	return m.judged(client.DialAndSendWithContext(ctx, message))
}

func (m *Mail) client() (*mail.Client, error) {
	port, err := strconv.Atoi(m.port)
	if err != nil {
		return nil, fmt.Errorf("smtp: %q is no port", m.port)
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

// judged marks what may pass: all but what the server refuses for good. The
// server's words are part of the error; the password is not, whatever it says.
func (m *Mail) judged(err error) error {
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

// message is what a user is told of an outcome.
func (m *Mail) message(to string, e core.Entry) (*mail.Msg, error) {
	message := mail.NewMsg()
	if err := message.From(m.o.From); err != nil {
		return nil, fmt.Errorf("smtp: the sender: %w", err)
	}
	if err := message.To(to); err != nil {
		return nil, fmt.Errorf("smtp: the address of %s is none: %w", e.User, err)
	}
	what := cmp.Or(e.App, e.Repository.Slug())
	subject := "Deployed " + what
	if e.Status == core.StatusError {
		subject = "Could not deploy " + what
	}
	message.Subject(line(subject))
	message.SetMessageIDWithValue(e.ID + "." + strconv.FormatInt(e.Revision, 10) + "@webhooks")
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers from those on holiday
	message.SetBodyString(mail.TypeTextPlain, m.body(e))
	return message, nil
}

func (m *Mail) body(e core.Entry) string {
	var text strings.Builder
	say := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-11s %s\n", name+":", line(value))
		}
	}
	say("Repository", e.Repository.Slug())
	say("Branch", e.Branch)
	say("Commit", e.Commit.ID)
	say("Message", e.Commit.Message)
	say("App", e.App)
	say("URL", e.URL)
	if e.Error != nil {
		say("Error", string(e.Error.Code))
		say("Reason", e.Error.Reason)
		if e.Error.Detail != "" {
			text.WriteString("\n" + clean(e.Error.Detail) + "\n")
		}
	}
	if m.o.BaseURL != "" {
		text.WriteString("\nAll of it: " + m.o.BaseURL + "/1/status/" + e.User + "/changes/" + e.ID + "\n")
	}
	return text.String()
}

// line is a text on one line, as far as it may be from anybody.
func line(text string) string {
	first, _, _ := strings.Cut(clean(text), "\n")
	return first
}

// clean leaves out what moves a terminal's cursor or hides what follows.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, text)
}
