package smtp

import (
	"bytes"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/nodejitsu/webhooks/core"
)

// With any payload, build and address, one mail is sent to one recipient, without
// additional headers or control characters.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\r\nBcc: evil@example.com\r\n\r\nhi", "a\n\nb", "\x1b[2J\u202e", "ünï =?utf-8?q?x?=", ".\r\nMAIL FROM:<x>", strings.Repeat("long ", 100), "\xff\x00"} {
		f.Add("dscape@example.com", seed, seed, seed)
	}
	for _, to := range []string{"", "a@b, c@d", "Dee <a@b>", "a@b\r\nBcc: c@d", "a@b>\r\nRCPT TO:<c@d", `"a b"@c`, "ü@example.com"} {
		f.Add(to, "app", "message", "reason")
	}
	m, err := New(Options{Addr: "127.0.0.1:25", From: "Webhooks <hooks@example.com>"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to, app, text, reason string) {
		message, err := m.message(to, core.Entry{
			ID: "2b3de47c2ce04a9dda4d31aac5000bab", User: "dscape", App: app, Status: core.StatusError, Branch: text,
			Commit: core.Commit{ID: text, Message: text}, Error: &core.EntryError{Code: core.CodeInternal, Reason: reason, Detail: text},
		})
		if err != nil {
			return
		}
		recipients, err := message.GetRecipients()
		if err != nil || len(recipients) != 1 || strings.ContainsAny(recipients[0], "\r\n\x00") {
			t.Fatalf("%q: recipients %q, %v", to, recipients, err)
		}
		var out bytes.Buffer
		if _, err := message.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		read, err := mail.ReadMessage(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatalf("%v in %q", err, out.String())
		}
		ours := []string{"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "User-Agent", "X-Mailer"}
		for name, values := range read.Header {
			if !slices.Contains(ours, name) || len(values) != 1 {
				t.Fatalf("the header %s is %q", name, values)
			}
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
		if err != nil || !strings.HasPrefix(subject, "Could not deploy ") && subject != "Could not deploy" || strings.ContainsFunc(subject, unicode.IsControl) && !strings.Contains(subject, "\t") {
			t.Fatalf("the subject is %q, %v", subject, err)
		}
	})
}
