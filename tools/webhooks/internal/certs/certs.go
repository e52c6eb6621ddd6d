// Package certs finds the certificates that the program's listeners show:
// files, which are read anew when they change, or what an ACME server such as
// Let's Encrypt issues.
package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// lookEvery is how often files are looked at while connections come.
const lookEvery = 5 * time.Second

// Files are a certificate with its chain and its key, in PEM. They may be used
// concurrently.
type Files struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	state  [2]time.Time // when the files were changed last
	looked time.Time
}

// NewFiles reads the files.
func NewFiles(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("tls-cert, tls-key: %w", err)
	}
	return f, nil
}

// Config returns what a listener needs.
func (f *Files) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.certificate}
}

// certificate returns the certificate of now. Where what is there now can't be
// read, as while somebody replaces one file after the other, the former one
// stays.
func (f *Files) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) > lookEvery && f.changed() {
		if err := f.load(); err != nil {
			f.log.ErrorContext(hello.Context(), "certificate not read", "error", err)
		} else {
			f.log.InfoContext(hello.Context(), "certificate read", "expires", f.loaded.Leaf.NotAfter)
		}
	}
	return f.loaded, nil
}

func (f *Files) changed() bool {
	f.looked = time.Now()
	return f.times() != f.state
}

func (f *Files) times() (times [2]time.Time) {
	for i, path := range []string{f.cert, f.key} {
		if info, err := os.Stat(path); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

func (f *Files) load() error {
	state := f.times() // before: what changes meanwhile is read the next time
	loaded, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.loaded, f.state, f.looked = &loaded, state, time.Now()
	return nil
}

// ACME is what [NewACME] takes.
type ACME struct {
	URL     string         // of the server's directory; default Let's Encrypt's
	Roots   *x509.CertPool // that its own certificate may be of; nil: the system's
	Email   string         // that it may write to; "" for none
	Domains []string       // this server's own
	Dir     string         // for keys and certificates

	// Serves tells of other hosts whether they are served here: for whatever
	// else somebody asks, no certificate is ordered. For those, not too many are:
	// users name them.
	Serves func(host string) bool
}

// NewACME returns what a listener on port 443 needs: the ACME server proves by
// the connections themselves that the names are ours (TLS-ALPN-01, RFC 8737).
func NewACME(o ACME) *tls.Config {
	own := make([]string, len(o.Domains))
	for i, domain := range o.Domains {
		own[i] = strings.ToLower(domain)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // net/http says that it is one
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}
	var ordered orders
	manager := &autocert.Manager{
		Prompt: autocert.AcceptTOS,
		Cache:  autocert.DirCache(o.Dir),
		Email:  o.Email,
		Client: &acme.Client{
			DirectoryURL: cmp.Or(o.URL, autocert.DefaultACMEDirectory), UserAgent: "nodejitsu-webhooks",
			HTTPClient: &http.Client{Transport: transport},
		},
		HostPolicy: func(_ context.Context, host string) error {
			switch {
			case slices.Contains(own, host):
				return nil
			case o.Serves != nil && o.Serves(host):
				return ordered.may(host)
			}
			return errors.New("certs: no such host is served here")
		},
	}
	config := manager.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	return config
}
