package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// issuer is Pebble, Let's Encrypt's ACME server for tests.
type issuer struct {
	directory string
	authority string         // file with what its own certificate is of
	roots     *x509.CertPool // of those that it issues
	log       notes          // what it did

	handler atomic.Pointer[http.Handler]
}

// notes are a log that is written concurrently.
type notes struct {
	mu   sync.Mutex
	text strings.Builder
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// newIssuer returns an issuer that answers after a call of validatesAt.
func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler := i.handler.Load(); handler != nil {
			(*handler).ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	i.directory, i.authority = server.URL+wfe.DirectoryPath, filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(i.authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return i
}

// validatesAt makes the issuer validate hosts by TLS-ALPN-01 at a port of this
// machine.
func (i *issuer) validatesAt(t *testing.T, port int) {
	t.Helper()
	store, logger := db.NewMemoryStore(), log.New(&i.log, "", 0)
	authority := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: 7776000}})
	validator := va.New(logger, port, port, false, loopbackDNS(t), store)
	front := wfe.New(logger, store, validator, authority, []string{"pebble.example"}, false, false, 1, 1)
	handler := front.Handler()
	i.roots = x509.NewCertPool()
	i.roots.AddCert(authority.GetRootCert(0).Cert)
	i.handler.Store(&handler)
}

// loopbackDNS returns the address of a name server that resolves each name to
// 127.0.0.1.
func loopbackDNS(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		answer := new(dns.Msg).SetReply(query)
		if question := query.Question[0]; question.Qtype == dns.TypeA {
			answer.Answer = []dns.RR{&dns.A{
				Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1),
			}}
		}
		_ = w.WriteMsg(answer)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}

// certificateOf returns the certificate that addr presents for host, verified with
// roots.
func certificateOf(t *testing.T, addr, host string, roots *x509.CertPool) (*x509.Certificate, error) {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // only inspected
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// A certificate is ordered from an ACME server at the first request for the host
// and kept over restarts. None is ordered for a host that is not configured.
func TestACME(t *testing.T) {
	t.Parallel()
	const host = "hooks.example.test"
	pebble := newIssuer(t)
	s := run(t, "serve", 3, "--acme-domains", host, "--acme-url", pebble.directory, "--acme-ca-file", pebble.authority)
	addr := strings.TrimPrefix(s.api, "https://")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatalf("%s: %v", s.api, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	pebble.validatesAt(t, number)
	if _, err := certificateOf(t, addr, "other.example.test", pebble.roots); err == nil {
		t.Error("there is a certificate for a host that is not configured")
	}
	// A handshake does not wait for as long as an order may take. A later one gets
	// the certificate.
	var first *x509.Certificate
	eventually(t, "a certificate is presented", func() bool {
		first, err = certificateOf(t, addr, host, pebble.roots)
		return err == nil
	}, func() string { return pebble.log.String() })
	files, err := os.ReadDir(filepath.Join(s.data, "certificates"))
	if err != nil || len(files) < 2 {
		t.Errorf("stored are %v, %v", files, err)
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", file.Name(), err)
		}
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: host, RootCAs: pebble.roots, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(s.api + "/healthz") //nolint:noctx // one look
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz answers %s, %v", resp.Status, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}

	s.stop()
	none := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("there is another request to the ACME server") }))
	pebble.handler.Store(&none)
	s.start()
	second, err := certificateOf(t, strings.TrimPrefix(s.api, "https://"), host, pebble.roots)
	if err != nil || !second.Equal(first) {
		t.Errorf("after a restart another one is presented: %v", err)
	}
}

// A certificate that is replaced on disk is used without a restart, and connections
// work meanwhile.
func TestCertificatesAreReloaded(t *testing.T) {
	t.Parallel()
	cert, key, roots := authority(t)
	s := run(t, "serve", 3, "--tls-cert", cert, "--tls-key", key)
	addr := strings.TrimPrefix(s.api, "https://")
	first, err := certificateOf(t, addr, "localhost", roots)
	if err != nil {
		t.Fatal(err)
	}
	newCert, newKey, newRoots := authority(t)
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		text, err := os.ReadFile(from) //nolint:gosec // the test's own
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
		roots.AppendCertsFromPEM(text)
	}
	eventually(t, "the new certificate is presented", func() bool {
		for _, address := range []string{addr, s.apps} {
			if _, err := certificateOf(t, address, "localhost", roots); err != nil {
				t.Fatalf("while files are replaced: %v", err)
			}
		}
		got, err := certificateOf(t, addr, "localhost", newRoots)
		return err == nil && !got.Equal(first)
	}, s.stderr)
	if _, err := certificateOf(t, s.apps, "localhost", newRoots); err != nil {
		t.Errorf("on the port of the apps: %v", err)
	}
}
