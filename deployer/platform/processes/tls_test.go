package processes_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// certified returns a version with the certificate of a server of TLS in its environment.
func (b *fixture) certified() runner.Version {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.t.Fatal(err)
	}
	v := b.app("app", "tls.js")
	v.Snapshot, v.Env = "2", map[string]string{
		"KEY":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"CERT": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
	}
	return v
}

// A version that speaks TLS on its port can't be reached by the router, so it does not
// replace the one that runs; one that also speaks HTTP can.
func TestTLSOnPort(t *testing.T) {
	t.Parallel()
	for _, health := range []string{"", "/healthz"} {
		b := setup(t, processes.Options{Grace: time.Second})
		b.mustSwitch(b.app("app", "serve.js"))
		before := b.report("app").Pid
		v := b.certified()
		v.Health = health
		err := b.Switch(t.Context(), v)
		failed := core.AsError(err)
		if failed == nil || failed.Code != core.CodePlatformStartFailed {
			t.Fatalf("error %v, want code %s", err, core.CodePlatformStartFailed)
		}
		mention(t, failed.Reason, "drone 1 speaks TLS (HTTPS) on PORT", "use http.createServer instead of https")
		if r := b.report("app"); r.Pid != before {
			t.Errorf("pid %d responds, want the old %d", r.Pid, before)
		}
		v.Env["BOTH"] = "1"
		b.mustSwitch(v)
		if got := b.get("app", "/"); got != "hello\n" {
			t.Errorf("got response %q", got)
		}
	}
}
