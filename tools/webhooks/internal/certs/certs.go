// Package certs provides the TLS certificates of the program's listeners: from
// files, which it reloads when they change, or from an ACME server such as Let's
// Encrypt.
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

// checkEvery is how often the files are checked for changes, at a connection.
const checkEvery = 5 * time.Second

// Files are a certificate with its chain and its key, in PEM. They may be used
// concurrently.
type Files struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	state   [2]time.Time // when the files were changed
	checked time.Time
}

// NewFiles reads the files.
func NewFiles(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return f, nil
}

// Config returns the configuration for a listener.
func (f *Files) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.certificate}
}

// certificate returns the current certificate. If the files cannot be read, for
// example while they are replaced one after the other, that is the former one.
func (f *Files) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.checked) > checkEvery && f.changed() {
		if err := f.load(); err != nil {
			f.log.ErrorContext(hello.Context(), "certificate reload failed", "error", err)
		} else {
			f.log.InfoContext(hello.Context(), "certificate reloaded", "expires", f.loaded.Leaf.NotAfter)
		}
	}
	return f.loaded, nil
}

func (f *Files) changed() bool {
	f.checked = time.Now()
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
	state := f.times() // before reading: a change during it is found the next time
	loaded, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.loaded, f.state, f.checked = &loaded, state, time.Now()
	return nil
}

// ACME configures [NewACME].
type ACME struct {
	URL     string         // of the server's directory; default: Let's Encrypt
	Roots   *x509.CertPool // authorities for its own certificate; nil: those of the system
	Email   string         // contact address; may be ""
	Domains []string       // of this server
	Dir     string         // for keys and certificates

	// Serves reports whether another host is served here. Certificates are ordered
	// for no other hosts, and for a limited number of these, because users choose
	// them.
	Serves func(host string) bool
}

// NewACME returns the configuration for a listener on port 443, and the handler of
// one on port 80 around the handler of all other requests there. By connections to
// one of them, the ACME server checks that the names are ours (TLS-ALPN-01, RFC
// 8737; HTTP-01, RFC 8555).
func NewACME(o ACME) (config *tls.Config, challenges func(http.Handler) http.Handler) {
	own := make([]string, len(o.Domains))
	for i, domain := range o.Domains {
		own[i] = strings.ToLower(domain)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // net/http documents its type
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
				return ordered.allow(host)
			}
			return errors.New("certs: the host is not served here")
		},
	}
	config = manager.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	return config, manager.HTTPHandler
}
