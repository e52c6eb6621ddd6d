package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/certs"
)

// write writes a new certificate of that serial number.
func write(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		// Two writes within a step of the clock would look like one.
		at := time.Now().Add(time.Duration(serial) * time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// serial returns the serial number of the certificate of config.
func serial(t *testing.T, config *tls.Config) int64 {
	t.Helper()
	here, there := net.Pipe()
	server := tls.Server(there, config)
	ended := make(chan error, 1)
	go func() { ended <- server.HandshakeContext(t.Context()) }()
	client := tls.Client(here, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true}) //nolint:gosec // the test checks which certificate it is
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestFilesAreReloaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cert, key := write(t, dir, 1)
		var log strings.Builder
		files, err := certs.NewFiles(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		shows := func(want int64) {
			t.Helper()
			if got := serial(t, files.Config()); got != want {
				t.Errorf("shows certificate %d, want %d; log: %s", got, want, log.String())
			}
		}
		shows(1)
		write(t, dir, 2)
		time.Sleep(10 * time.Second) // of the bubble's clock
		shows(2)
		if err := os.WriteFile(cert, []byte("half a certif"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		shows(2)
		write(t, dir, 3)
		time.Sleep(10 * time.Second)
		shows(3)
	})
}

func TestInvalidFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := certs.NewFiles(filepath.Join(dir, "none"), filepath.Join(dir, "none"), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "tls-cert") {
		t.Errorf("got %v", err)
	}
	cert, _ := write(t, dir, 1)
	if _, err := certs.NewFiles(cert, cert, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an invalid key was accepted")
	}
}

// No certificate is ordered for a host that is not served here.
func TestACMEOrdersForServedHosts(t *testing.T) {
	t.Parallel()
	config, _ := certs.NewACME(certs.ACME{
		URL: "http://127.0.0.1:1/directory", Domains: []string{"Webhooks.example.com"}, Dir: t.TempDir(),
		Serves: func(host string) bool { return host == "app.example.com" },
	})
	for host, ours := range map[string]bool{"webhooks.example.com": true, "app.example.com": true, "other.example.com": false} {
		_, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: host, SupportedVersions: []uint16{tls.VersionTLS13}})
		if err == nil {
			t.Fatalf("%s has a certificate", host)
		}
		if refused := strings.Contains(err.Error(), "not served here"); refused == ours {
			t.Errorf("%s: %v", host, err)
		}
	}
}
