package smtp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	server "github.com/emersion/go-smtp"

	"github.com/nodejitsu/webhooks/adapters/smtp"
	"github.com/nodejitsu/webhooks/core"
)

var password = core.NewSecret("canary-password")

// post is an SMTP server that records mails.
type post struct {
	addr  string
	roots *x509.CertPool

	mu      sync.Mutex
	refuse  *server.SMTPError // of recipients
	letters []string          // FROM TO newline text
}

// newPost starts a server that requires STARTTLS and a password if safe is set.
func newPost(t *testing.T, safe bool) *post {
	t.Helper()
	p := &post{}
	s := server.NewServer(server.BackendFunc(func(*server.Conn) (server.Session, error) { return &session{post: p, open: !safe}, nil }))
	s.Domain, s.AllowInsecureAuth = "localhost", false
	if safe {
		s.TLSConfig, p.roots = certificate(t)
	}
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		_ = l.Close() // it may not have begun to serve
		<-ended
	})
	return p
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

// session is one connection.
type session struct {
	*post
	open     bool
	from, to string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, given string) error {
		if username != "webhooks" || given != password.Reveal() {
			// Some servers repeat the command in their response.
			sent := base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + given))
			return &server.SMTPError{Code: 454, Message: "refused " + username + " with " + given + ", AUTH PLAIN " + sent}
		}
		s.open = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *server.MailOptions) error {
	if !s.open {
		return server.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *server.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
	if s.refuse != nil {
		return s.refuse
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, s.from+" "+s.to+"\n"+strings.ReplaceAll(string(text), "\r\n", "\n"))
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (p *post) got(t *testing.T, want int) []string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.letters) != want {
		t.Fatalf("%d letters, want %d", len(p.letters), want)
	}
	return p.letters
}

// mailTo returns a Mail that uses p.
func mailTo(t *testing.T, p *post, change func(*smtp.Options)) *smtp.Mail {
	t.Helper()
	o := smtp.Options{
		Addr: p.addr, From: "Webhooks <hooks@example.com>", TLS: smtp.None, BaseURL: "https://webhooks.example.com",
		Address: func(_ context.Context, user string) (string, error) { return user + "@example.org", nil },
	}
	if p.roots != nil {
		o.TLS, o.Username, o.Password = smtp.StartTLS, "webhooks", password
		o.TLSRoots = &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS12}
	}
	if change != nil {
		change(&o)
	}
	m, err := smtp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func entry(status core.Status, asks core.Email) core.Entry {
	e := core.Entry{
		ID: "0192f0c17a3e7cc1a2b30123456789ab", Revision: 12, User: "dscape", App: "hello", Status: status, Email: asks,
		Repository: core.Repository{Owner: "dscape", Name: "hello-world"}, Branch: "main",
		Commit: core.Commit{ID: "96410ed970f6224a4cd3c450150c5d65bbc77fcd", Message: "Greet\n\nat length"}, URL: "http://hello.example.com",
	}
	if status == core.StatusError {
		e.Error = &core.EntryError{Code: core.CodeStartApp, Reason: core.Reason(core.CodeStartApp), Detail: "Error: \x1b[31mno port\nat server.js"}
	}
	return e
}

func TestMailIsSent(t *testing.T) {
	t.Parallel()
	p := newPost(t, true)
	m := mailTo(t, p, nil)
	for _, e := range []core.Entry{
		entry(core.StatusOK, core.Email{Success: true}), entry(core.StatusError, core.Email{Errors: true}),
		entry(core.StatusOK, core.Email{Errors: true}), entry(core.StatusError, core.Email{Success: true}), // not sent
		entry(core.StatusSkipped, core.Email{Success: true, Errors: true}), // not sent
	} {
		if err := m.Notify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	letters := p.got(t, 2)
	letters[0] = strings.ReplaceAll(letters[0], "=\n", "") // the line breaks of quoted-printable
	for _, want := range []string{
		"hooks@example.com dscape@example.org\n", "Subject: Deployed hello\n", "Auto-Submitted: auto-generated\n",
		"Message-ID: <0192f0c17a3e7cc1a2b30123456789ab.12@webhooks>\n", "To: <dscape@example.org>\n",
		"Message:    Greet\n", "URL:        http://hello.example.com\n",
		"https://webhooks.example.com/-/entries/0192f0c17a3e7cc1a2b30123456789ab",
	} {
		if !strings.Contains(letters[0], want) {
			t.Errorf("%q is missing in %s", want, letters[0])
		}
	}
	for _, want := range []string{"Subject: Could not deploy hello\n", "deploy:nodejitsu:start_app", "Error: [31mno port\nat server.js"} {
		if !strings.Contains(letters[1], want) {
			t.Errorf("%q is missing in %s", want, letters[1])
		}
	}
}

func TestOptionsForAllUsers(t *testing.T) {
	t.Parallel()
	p := newPost(t, false)
	m := mailTo(t, p, func(o *smtp.Options) { o.Errors = true })
	for _, status := range []core.Status{core.StatusOK, core.StatusError, core.StatusIgnored} {
		if err := m.Notify(t.Context(), entry(status, core.Email{})); err != nil {
			t.Fatal(err)
		}
	}
	p.got(t, 1)
}

// A payload can not add a header or a recipient.
func TestNothingIsInjected(t *testing.T) {
	t.Parallel()
	p := newPost(t, false)
	m := mailTo(t, p, nil)
	e := entry(core.StatusOK, core.Email{Success: true})
	e.App = "hello\r\nBcc: victim@example.net"
	e.Commit.Message = "\r\n.\r\nMAIL FROM:<a@b>\r\nX-Injected: yes"
	e.Branch = "main\r\nX-Injected: yes"
	if err := m.Notify(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(p.got(t, 1)[0], "\n\n")
	for line := range strings.SplitSeq(header, "\n") {
		if strings.HasPrefix(line, "Bcc") || strings.HasPrefix(line, "X-Injected") {
			t.Errorf("injected: %s", line)
		}
	}
	m = mailTo(t, p, func(o *smtp.Options) {
		o.Address = func(context.Context, string) (string, error) { return "a@example.org>\r\nRCPT TO:<b@example.net", nil }
	})
	if err := m.Notify(t.Context(), entry(core.StatusOK, core.Email{Success: true})); err == nil {
		t.Error("an invalid address was accepted")
	}
	p.got(t, 1)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	wanted := entry(core.StatusOK, core.Email{Success: true})
	for name, c := range map[string]struct {
		safe      bool
		refuse    *server.SMTPError
		change    func(*smtp.Options)
		transient bool
	}{
		"busy":            {false, &server.SMTPError{Code: 450, Message: "later"}, nil, true},
		"no such mailbox": {false, &server.SMTPError{Code: 550, Message: "who?"}, nil, false},
		"no server":       {false, nil, func(o *smtp.Options) { o.Addr = "127.0.0.1:1" }, true},
		"no TLS there":    {false, nil, func(o *smtp.Options) { o.TLS = smtp.StartTLS }, true},
		"unknown issuer":  {true, nil, func(o *smtp.Options) { o.TLSRoots = nil }, true},
		"wrong password":  {true, nil, func(o *smtp.Options) { o.Password = core.NewSecret("canary-wrong") }, true},
		"no users known":  {false, nil, func(o *smtp.Options) { o.Address = unknown }, false},
		"users not known": {false, nil, func(o *smtp.Options) { o.Address = away }, true},
		"no address":      {false, nil, func(o *smtp.Options) { o.Address = nowhere }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t, c.safe)
			p.refuse = c.refuse
			err := mailTo(t, p, c.change).Notify(t.Context(), wanted)
			if name == "no address" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil {
				t.Fatal("no error")
			} else if _, transient := core.Retryable(err); transient != c.transient {
				t.Errorf("transient: %t, want %t: %v", transient, c.transient, err)
			} else if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "AHdlYmhvb2tz") { // webhooks, in Base64
				t.Errorf("the error has the password: %v", err)
			} else if name == "wrong password" && !strings.Contains(err.Error(), "refused webhooks with ***, AUTH PLAIN ***") {
				t.Errorf("the server's message is missing: %v", err)
			}
			p.got(t, 0)
		})
	}
}

func unknown(context.Context, string) (string, error) { return "", core.ErrNotFound }
func away(context.Context, string) (string, error) {
	return "", core.Transient(errors.New("connection refused"), 0)
}
func nowhere(context.Context, string) (string, error) { return "", nil }

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []smtp.Options{{Addr: "mail.example.com", From: "a@example.com"}, {Addr: "mail.example.com:25", From: "invalid"}} {
		if _, err := smtp.New(o); err == nil {
			t.Errorf("%+v was accepted", o.Addr)
		}
	}
}
