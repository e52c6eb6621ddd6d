package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/certs"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// Certificates are the certificates of the public listeners.
type Certificates struct {
	TLS *tls.Config // nil: HTTP without TLS
	// Challenges answers the ACME server's requests at port 80, and passes others
	// to a handler; nil: there is no ACME server.
	Challenges func(http.Handler) http.Handler

	serves atomic.Pointer[func(host string) bool]
}

// newCertificates reads the certificate files that are configured, or prepares to
// get certificates from an ACME server.
func newCertificates(cfg config.Config, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{}
	switch {
	case cfg.TLSCert != "":
		files, err := certs.NewFiles(cfg.TLSCert, cfg.TLSKey, log)
		if err != nil {
			return nil, err
		}
		c.TLS = files.Config()
	case len(cfg.ACMEDomains) > 0:
		roots, err := authorities("acme-ca-file", cfg.ACMECAFile)
		if err != nil {
			return nil, err
		}
		c.TLS, c.Challenges = certs.NewACME(certs.ACME{
			URL: cfg.ACMEURL, Roots: roots, Email: cfg.ACMEEmail, Domains: cfg.ACMEDomains, Dir: filepath.Join(cfg.Data, "certificates"),
			Serves: func(host string) bool {
				serves := c.serves.Load()
				return serves != nil && (*serves)(host)
			},
		})
	}
	return c, nil
}

// authorities reads the certificate authorities of a setting. It returns nil, for
// those of the system, if the setting is empty.
func authorities(setting, path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", setting, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--%s: %s contains no certificate in PEM", setting, path)
	}
	return roots, nil
}

// scheme returns the URL scheme of the listeners.
func (c *Certificates) scheme() string {
	if c.TLS != nil {
		return "https"
	}
	return "http"
}
