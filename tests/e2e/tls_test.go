package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority writes a certificate for localhost and all below it, and returns
// who believes it.
func authority(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost", "*.localhost", "example.test", "*.example.test"}, IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots = x509.NewCertPool()
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		text := pem.EncodeToMemory(block)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		roots.AppendCertsFromPEM(text)
	}
	return cert, key, roots
}

// The API and the apps are served with TLS only.
func TestTLS(t *testing.T) {
	t.Parallel()
	h := github(t)
	cert, key, roots := authority(t)
	s := serve(t, h.flags("--apps-domain", "example.test", "--tls-cert", cert, "--tls-key", key)...)
	if !strings.HasPrefix(s.api, "https://") || !strings.HasPrefix(s.platform, "http://127.0.0.1:") {
		t.Fatalf("got the addresses %s and %s", s.api, s.platform)
	}
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "secure.example.test:") {
				addr = s.apps
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}}
	do := func(method, url, body string, header map[string]string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(user, password)
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(text)
	}
	repo := h.repository("secure")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("secure"), "index.js": `
		require('http').createServer((req, res) => res.end(req.headers['x-forwarded-proto'])).listen(process.env.PORT)`})
	pushed := repo.delivery(t, commit, "1", map[string]string{"Content-Type": "application/json"})
	resp, body := do(http.MethodPost, s.api+pushed.path, pushed.body, pushed.header)
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || !strings.Contains(body, `"id":"`+s.api) {
		t.Fatalf("deploying: %s %s %s", resp.Proto, resp.Status, body)
	}
	if resp.Header.Get("Strict-Transport-Security") == "" || resp.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("headers %v", resp.Header)
	}
	_, port, err := net.SplitHostPort(s.apps)
	if err != nil {
		t.Fatal(err)
	}
	id := body[strings.Index(body, `"id":"`)+len(`"id":"`):]
	if _, doc := do(http.MethodGet, id[:strings.IndexByte(id, '"')], "", nil); !strings.Contains(doc, "https://secure.example.test:"+port) {
		t.Errorf("the app's URL is missing: %s", doc)
	}
	if resp, body := do(http.MethodGet, "https://secure.example.test:"+port+"/", "", nil); resp.StatusCode != http.StatusOK || body != "https" {
		t.Errorf("the app answers %s %s", resp.Status, body)
	}
	plain, err := client.Get("http://" + s.apps) //nolint:noctx // one look
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.Body.Close(); err != nil || plain.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS the router answers %s %v", plain.Status, err)
	}
}
