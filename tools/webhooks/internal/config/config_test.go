package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func parse(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.Flags(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c, err := config.Load(parse(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Wait != 8*time.Second || c.Hold != 30*time.Minute || c.Listen != ":8080" {
		t.Errorf("got %+v", c)
	}
	delays, err := c.Retries()
	if err != nil || len(delays) != 5 || delays[0] != 5*time.Second {
		t.Errorf("got %v, %v", delays, err)
	}
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "webhooks.yml")
	text := "listen: \":1\"\nhold: 1m\nworkers: 7\ntrusted-proxies: [10.0.0.0/8, 192.0.2.1]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"WEBHOOKS_CONFIG=" + path, "WEBHOOKS_LISTEN=:2", "WEBHOOKS_HOLD=2m", "WEBHOOKS_RETRY_DELAYS=1s,2s", "WEBHOOKS_PASSWORD=x"}
	c, err := config.Load(parse(t, "--listen", ":3"), environ)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":3" || c.Hold != 2*time.Minute || c.Workers != 7 || len(c.TrustedProxies) != 2 {
		t.Errorf("got %+v", c)
	}
	if delays, err := c.Retries(); err != nil || len(delays) != 2 || delays[1] != 2*time.Second {
		t.Errorf("got %v, %v", delays, err)
	}
}

func TestAllFaultsAreListed(t *testing.T) {
	t.Parallel()
	_, err := config.Load(parse(t, "--listen", "nowhere", "--workers", "0", "--log-level", "loud",
		"--github-url", "https://user:pass@example.com", "--platform-url", "http://example.com", "--retry-delays", "soon",
		"--lease", "999ms"), nil)
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, want := range []string{"listen:", "workers:", "log-level:", "github-url:", "platform-key-file:", "retry-delays:", "lease:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "pass@") {
		t.Errorf("a credential is shown: %v", err)
	}
}

func TestPrivateHosts(t *testing.T) {
	t.Parallel()
	for hosts, good := range map[string]bool{
		"hooks.internal": true, "hooks,Travis.internal": true,
		"hooks.internal:8443": false, "http://hooks.internal": false, "hooks/path": false, "user@hooks": false,
	} {
		if _, err := config.Load(parse(t, "--private-hosts", hosts), nil); (err == nil) != good {
			t.Errorf("%s: got %v", hosts, err)
		}
	}
}

func TestUnknownSettingInFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "webhooks.yml")
	if err := os.WriteFile(path, []byte("lisen: \":1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(parse(t, "--config", path), nil)
	if err == nil || !strings.Contains(err.Error(), "lisen") {
		t.Errorf("got %v", err)
	}
}

// A variable that is nearly a setting's is told; what has our prefix by chance,
// or is no setting, is left alone.
func TestMistypedVariables(t *testing.T) {
	t.Parallel()
	_, err := config.Load(parse(t), []string{"WEBHOOKS_TRUSTED_PROXY=10.0.0.1", "WEBHOOKS_LISEN=:1", "PATH=/bin"})
	if err == nil || !strings.Contains(err.Error(), "WEBHOOKS_TRUSTED_PROXY is no setting; did you mean WEBHOOKS_TRUSTED_PROXIES?") ||
		!strings.Contains(err.Error(), "WEBHOOKS_LISTEN") || strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("got %v", err)
	}
	for _, variable := range []string{
		"USER", "PASSWORD", "TO", "SEAL_KEYS", "E2E_CANARY", "LISTEN",
		"PORT", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8080_TCP", "PORT_8080_TCP_ADDR", "PORT_8080_TCP_PROTO",
	} {
		if _, err := config.Load(parse(t), []string{"WEBHOOKS_" + variable + "=127.0.0.1:0"}); err != nil {
			t.Errorf("%s: got %v", variable, err)
		}
	}
}
