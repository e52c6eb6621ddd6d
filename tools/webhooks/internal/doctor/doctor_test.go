package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/doctor"
)

// check runs the checks with settings and returns what they found, by name.
func check(t *testing.T, o doctor.Options, flags ...string) map[string]doctor.Finding {
	t.Helper()
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings := config.Declare(set)
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.Config, err = settings.Load(nil); err != nil {
		t.Fatal(err)
	}
	o.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("there is no name server")
	}}
	found := map[string]doctor.Finding{}
	for _, f := range doctor.Check(t.Context(), o, time.Minute) {
		if (f.Result == doctor.OK) != (f.Do == "") || f.Text == "" {
			t.Errorf("%+v: want something to do if and only if it is not ok", f)
		}
		found[f.Check] = f
	}
	return found
}

func TestFindings(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // nothing was accepted
	forge := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer forge.Close()
	cert, key := certificate(t, "hooks.example.test")
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	found := check(t, doctor.Options{
		Store: func(context.Context) error { return errors.New("connection refused") },
		Now:   func() time.Time { return time.Now().Add(time.Hour) },
	}, "--domain", "example.test", "--data", dir, "--listen", taken.Addr().String(), "--redirect-listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0",
		"--github-url", forge.URL, "--tls-cert", cert, "--tls-key", key)
	for name, want := range map[string]struct {
		result doctor.Result
		text   string
	}{
		"node":                          {doctor.OK, "v"},
		"npm":                           {doctor.OK, "."},
		"disk":                          {doctor.OK, dir},
		"port " + taken.Addr().String(): {doctor.Failed, "another program"},
		"port 127.0.0.1:0":              {doctor.OK, "is free"},
		"redis":                         {doctor.Failed, "connection refused"},
		"github":                        {doctor.OK, "answers"},
		"clock":                         {doctor.Failed, "by 1h0m"},
		"dns example.test":              {doctor.Failed, "no name server"},
		"dns any-app.example.test":      {doctor.Failed, "no name server"},
		"certificate":                   {doctor.Failed, "example.test"},
	} {
		if f := found[name]; f.Result != want.result || !strings.Contains(f.Text, want.text) {
			t.Errorf("%s: got %+v, want %s with %q", name, f, want.result, want.text)
		}
	}
}

// A development machine needs neither DNS nor a certificate, and a server with a
// platform elsewhere needs no Node.js.
func TestWhatIsNotNeeded(t *testing.T) {
	t.Parallel()
	found := check(t, doctor.Options{}, "--data", t.TempDir(), "--github-url", "http://127.0.0.1:1",
		"--platform-url", "http://127.0.0.1:2", "--platform-key-file", "key")
	for name := range found {
		if strings.HasPrefix(name, "dns") || name == "certificate" || name == "redis" || name == "node" || name == "control groups" {
			t.Errorf("%s was checked", name)
		}
	}
	if f := found["github"]; f.Result != doctor.Failed {
		t.Errorf("a forge that can't be reached: got %+v", f)
	}
}

// The disk budget is compared with what is used, and with the disk.
func TestDiskBudget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	builds := filepath.Join(dir, "platform", "builds")
	if err := os.MkdirAll(builds, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(builds, "build"), make([]byte, 10<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for budget, want := range map[string]struct {
		result doctor.Result
		text   string
	}{
		"0":          {},
		"11":         {doctor.Warning, "use 10 of 11 MiB"},
		"20":         {doctor.OK, "use 10 of 20 MiB"},
		"1000000000": {doctor.Warning, "are free on the disk"},
	} {
		found := check(t, doctor.Options{}, "--data", dir, "--disk-budget", budget, "--github-url", "http://127.0.0.1:1")
		if f := found["disk budget"]; f.Result != want.result || !strings.Contains(f.Text, want.text) {
			t.Errorf("a budget of %s MiB: got %+v, want %s with %q", budget, f, want.result, want.text)
		}
	}
}

// certificate writes a certificate for a host, which expires in a day.
func certificate(t *testing.T, host string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now(), NotAfter: time.Now().Add(24 * time.Hour)}
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
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
