package redact

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// maxRefusal is the number of bytes read of an answer that refuses a request.
const maxRefusal = 64 << 10

// Transport is an [http.RoundTripper] that removes a request's credentials from
// its answer: from errors, which may quote an answer that
// is not HTTP, and from the status line, the headers and the body of every
// answer but a 2xx. It reads at most 64 KiB of such a body. The header Location
// is not changed; code that shows it must clean it.
//
// A request's credentials are those in its URL, in headers such as
// Authorization, and those added by [With] for its body. Transport
// must be the innermost RoundTripper, so that it sees what is sent.
type Transport struct {
	Next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(req)
	if err != nil {
		return nil, newRedactor(of(req)).Error(err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp, nil
	}
	if r := newRedactor(of(req)); r != nil {
		resp.Status = r.Text(resp.Status)
		cleanHeader(resp.Header, r)
		resp.Body = &refusal{Closer: resp.Body, from: resp.Body, r: r}
		resp.ContentLength = -1
	}
	return resp, nil
}

// CloseIdleConnections closes those of Next.
func (t *Transport) CloseIdleConnections() {
	if next, ok := t.Next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

type contextKey struct{}

// With returns a context for a request that also sends these credentials, in
// its body for example. They are added to those of ctx.
func With(ctx context.Context, secrets ...core.Secret) context.Context {
	texts := from(ctx)
	for _, secret := range secrets {
		texts = append(texts, secret.Reveal())
	}
	return context.WithValue(ctx, contextKey{}, texts)
}

func from(ctx context.Context) []string {
	texts, _ := ctx.Value(contextKey{}).([]string)
	return slices.Clip(texts)
}

// Request returns a Redactor of the credentials that a request sends, as
// [Transport] finds them. It is for what a 2xx answer says: its body and its
// trailer.
func Request(req *http.Request) *Redactor { return newRedactor(of(req)) }

// of returns the credentials that a request sends.
func of(req *http.Request) []string {
	secrets := append(from(req.Context()), inURL(req.URL)...)
	for name, values := range req.Header {
		if isCredential(name) {
			for _, value := range values {
				secrets = append(secrets, inHeader(value)...)
			}
		}
	}
	return secrets
}

func isCredential(header string) bool {
	return header == "Authorization" || header == "Proxy-Authorization" || header == "Cookie" || Named(header)
}

// inHeader returns the credentials in a header's value: the whole, what follows
// a scheme such as Bearer or an algorithm such as sha256=, and both parts of
// Basic.
func inHeader(value string) []string {
	secrets := []string{value}
	if at := strings.IndexAny(value, "=,"); at >= 0 {
		secrets = append(secrets, value[at+1:])
	}
	scheme, rest, ok := strings.Cut(value, " ")
	if !ok {
		return secrets
	}
	secrets = append(secrets, rest)
	if strings.EqualFold(scheme, "Basic") {
		if decoded, err := base64.StdEncoding.DecodeString(rest); err == nil {
			_, password, _ := strings.Cut(string(decoded), ":")
			secrets = append(secrets, string(decoded), password)
		}
	}
	return secrets
}

// inURL returns the credentials in a URL: its password, a user without one,
// and parameters that are one by their name.
func inURL(u *url.URL) []string {
	var secrets []string
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	} else {
		secrets = append(secrets, u.User.Username())
	}
	if u.RawQuery == "" {
		return secrets
	}
	for name, values := range u.Query() {
		if Named(name) || strings.EqualFold(name, "sig") {
			secrets = append(secrets, values...)
		}
	}
	return secrets
}

// cleanHeader leaves the address of a redirect as it is, which would lead
// elsewhere if a part of it were changed.
func cleanHeader(h http.Header, r *Redactor) {
	for name, values := range h {
		if name == "Location" {
			continue
		}
		for i, value := range values {
			values[i] = r.Text(value)
		}
	}
}

// refusal is the body of an answer that refuses, without credentials. It is
// read whole at the first Read, so that no credential is split between two.
type refusal struct {
	io.Closer
	from  io.Reader // nil once it was read
	r     *Redactor
	clean bytes.Reader
	err   error
}

// Read implements [io.Reader].
func (b *refusal) Read(p []byte) (int, error) {
	if b.from != nil {
		text, err := io.ReadAll(io.LimitReader(b.from, maxRefusal))
		b.clean.Reset([]byte(b.r.Text(string(text))))
		b.from, b.err = nil, b.r.Error(err)
	}
	n, err := b.clean.Read(p)
	if err == io.EOF && b.err != nil { //nolint:errorlint // bytes.Reader returns this very value
		err = b.err
	}
	return n, err
}
