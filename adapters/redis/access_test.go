package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// use accepts and claims an entry.
func use(t *testing.T, s *redis.Store) {
	t.Helper()
	e := core.Entry{ID: strings.Repeat("a", 32), User: "me", Status: core.StatusPending, Steps: []core.Step{}}
	if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Payload: []byte("{}"), Key: "k", Place: &deploy.Place{Lane: "l"}}); err != nil {
		t.Fatal(err)
	}
	c, found, _, err := s.Claim(t.Context(), time.Minute)
	if err != nil || !found {
		t.Fatalf("found %t, %v", found, err)
	}
	if _, err := s.Finish(t.Context(), c.Change.Entry, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The rights in the operator's guide are sufficient, and allow access to the store's
// own keys only.
func TestACLUser(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "webhooks", "on", ">secret", "~{webhooks}:*", "&{webhooks}:*", "+@all", "-@dangerous", "+info", "+config|get", "+bgrewriteaof")
	use(t, open(t, redis.Options{Addrs: []string{server.Addr}, Username: "webhooks", Password: core.NewSecret("secret")}))

	wrong := redis.New(redis.Options{Addrs: []string{server.Addr}, Username: "webhooks", Password: core.NewSecret("guess-me")})
	err := wrong.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "guess-me") {
		t.Errorf("got %v", err)
	}
	if err := wrong.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	other := redis.New(redis.Options{Addrs: []string{server.Addr}, Username: "webhooks", Password: core.NewSecret("secret"), Prefix: "another"})
	if err := other.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("got %v", err)
	}
	if err := other.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := certificate(t, dir)
	server := redistest.Start(t, "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"),
		"--tls-auth-clients", "no", "--tls-ca-cert-file", filepath.Join(dir, "cert.pem"))
	secure := server.AlsoTLS()
	use(t, open(t, redis.Options{Addrs: []string{secure}, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}))

	stranger := redis.New(redis.Options{Addrs: []string{secure}, TLS: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}})
	if err := stranger.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	if err := stranger.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// certificate writes a certificate for 127.0.0.1 and returns a pool with it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}
