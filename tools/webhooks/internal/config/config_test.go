package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// load parses flags and loads the settings.
func load(t *testing.T, environ []string, flags ...string) (config.Config, error) {
	t.Helper()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	settings := config.Declare(set)
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	return settings.Load(environ)
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "webhooks.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Wait != 8*time.Second || c.HoldTimeout != 30*time.Minute || c.Listen != ":8080" || len(c.RetryDelays) != 5 {
		t.Errorf("got %+v", c)
	}
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	t.Parallel()
	path := file(t, "listen: \":1\"\nhold-timeout: 1m\nworkers: 7\nredis-tls: true\ntrusted-proxies: [10.0.0.0/8, 192.0.2.1]\nretry-delays: 1s,2s,3s\n")
	environ := []string{
		"WEBHOOKS_CONFIG=" + path, "WEBHOOKS_LISTEN=:2", "WEBHOOKS_HOLD_TIMEOUT=2m", "WEBHOOKS_RETRY_DELAYS=1s,2s",
		"WEBHOOKS_GITHUB_ARCHIVE_HOSTS=a,b", "WEBHOOKS_PASSWORD=x",
	}
	c, err := load(t, environ, "--listen", ":3")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":3" || c.HoldTimeout != 2*time.Minute || c.Workers != 7 || !c.RedisTLS || len(c.TrustedProxies) != 2 ||
		len(c.GitHubArchiveHosts) != 2 || len(c.RetryDelays) != 2 || c.RetryDelays[1] != 2*time.Second {
		t.Errorf("got %+v", c)
	}
	if proxies := c.Proxies(); len(proxies) != 2 || proxies[1].String() != "192.0.2.1/32" {
		t.Errorf("got proxies %v", proxies)
	}
}

// --domain sets the addresses and certificates that are not set themselves.
func TestDomain(t *testing.T) {
	t.Parallel()
	type addresses struct {
		listen, redirect, base, apps, appsURL, certificates, reserved string
		shares                                                        bool
	}
	for name, test := range map[string]struct {
		flags []string
		want  addresses
	}{
		"none": {nil, addresses{":8080", "", "", "localhost", "", "", "", true}},
		"alone": {
			[]string{"--domain", "example.com"},
			addresses{":443", ":80", "https://example.com", "example.com", "", "example.com", "example.com", true},
		},
		"behind a proxy": {
			[]string{"--domain", "example.com", "--behind-proxy", "--listen", "127.0.0.1:9000"},
			addresses{"127.0.0.1:9000", "", "https://example.com", "example.com", "https://example.com", "", "example.com", true},
		},
		"own certificates, another port, apps elsewhere": {
			[]string{"--domain", "example.com", "--tls-cert", "c", "--tls-key", "k", "--listen", ":444", "--apps-listen", ":445", "--apps-domain", "apps.example"},
			addresses{":444", ":80", "https://example.com:444", "apps.example", "", "", "example.com", false},
		},
	} {
		c, err := load(t, nil, test.flags...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		reserved := c.ReservedHosts()
		slices.Sort(reserved)
		got := addresses{
			c.Listen, c.RedirectListen, c.BaseURL, c.AppsDomain, c.AppsURL, strings.Join(c.ACMEDomains, ","),
			strings.Join(slices.Compact(reserved), ","), c.SharesListener(),
		}
		if got != test.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, test.want)
		}
	}
	for name, flags := range map[string][]string{
		"--behind-proxy needs --domain": {"--behind-proxy"},
		"--behind-proxy excludes":       {"--behind-proxy", "--domain", "example.com", "--acme-domains", "example.com"},
		"--redirect-listen needs":       {"--redirect-listen", ":80"},
		"--domain: invalid host name":   {"--domain", "https://example.com"},
	} {
		if _, err := load(t, nil, flags...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: got %v, want %q", flags, err, name)
		}
	}
}

func TestAllProblemsAreReported(t *testing.T) {
	t.Parallel()
	_, err := load(t, nil, "--listen", "nowhere", "--workers", "0", "--log-level", "loud", "--data", "",
		"--github-url", "https://user:pass@example.com", "--platform-url", "http://example.com", "--retry-delays", "0s", "--lease", "999ms",
		"--shutdown-delay", "-1s", "--wait", "2h", "--trusted-proxies", "proxy", "--build-timeout", "30m", "--smtp-username", "me", "--smtp-from", "me at home",
		"--email-errors", "--tls-cert", "cert", "--acme-domains", "example.com", "--redis", "host", "--redis-cluster", "--redis-db", "1", "--redis-prefix", "{x}",
		"--notify-urls", "ftp://example.com", "--smtp-addr", "host", "--metrics-addr", "nowhere", "--pprof-addr", ":6060")
	if err == nil {
		t.Fatal("no problem was reported")
	}
	for _, want := range []string{
		`--listen: invalid address "nowhere": want host:port or :port`, "--workers: must be at least 1, not 0", "--log-level: invalid value \"loud\": want debug, info, warn, error",
		`--metrics-addr: invalid address "nowhere": want host:port or :port`, `--pprof-addr: invalid address ":6060": want one of this machine alone`,
		"--data: must not be empty", "--github-url: the URL must not contain credentials", "--platform-key-file must be set with --platform-url",
		"--retry-delays: must be positive, not 0s", "--lease: must be at least 1s, not 999ms", "--shutdown-delay: must be 0 or more, not -1s",
		"--wait: must be between 0s and ", `--trusted-proxies: invalid network "proxy": want an address or a network such as 10.0.0.0/8`,
		"--upload-timeout must be more than --build-timeout", "--smtp-username and --smtp-password-file must be set together",
		`--smtp-from: invalid sender "me at home"`, "--tls-cert and --tls-key must be set together", "--tls-cert and --acme-domains exclude each other",
		`--redis: invalid address "host"`, "--redis-db must be 0 with --redis-cluster", `--redis-prefix: invalid prefix "{x}"`,
		"--notify-urls: invalid URL: want http(s)://host[/path]", `--smtp-addr: invalid address "host"`,
	} {
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
	for hosts, valid := range map[string]bool{
		"hooks.internal": true, "hooks,Travis.internal": true,
		"hooks.internal:8443": false, "http://hooks.internal": false, "hooks/path": false, "user@hooks": false,
	} {
		if _, err := load(t, nil, "--private-hosts", hosts); (err == nil) != valid {
			t.Errorf("%s: got %v", hosts, err)
		}
	}
}

func TestInvalidFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"lisen: x\n":               ":1: lisen: unknown setting; did you mean listen?",
		"\ndrain: 1m\n":            ":2: drain: unknown setting; did you mean drain-timeout?",
		"config: other.yml\n":      ":1: config: unknown setting",
		"frobnicate: 1\n":          ":1: frobnicate: unknown setting\n",
		"workers: many\n":          ":1: workers: ",
		"wait: 8\n":                ":1: wait: ",
		"listen: [a, b]\n":         ":1: listen: want a value",
		"listen: {a: b}\n":         ":1: listen: want a value",
		"listen:\n":                ":1: listen: want a value",
		"redis: {a: b}\n":          ":1: redis: want a value or a list of values",
		"redis: [[a]]\n":           ":1: redis: want a list of plain values",
		"workers: 1\nworkers: 2\n": "already defined",
		"- listen\n":               "settings file ",
	} {
		_, err := load(t, nil, "--config", file(t, text))
		if err == nil || !strings.Contains(err.Error()+"\n", want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if _, err := load(t, nil, "--config", "missing.yml"); err == nil || !strings.Contains(err.Error(), "settings file: open missing.yml") {
		t.Errorf("got %v", err)
	}
}

// A variable that is nearly the name of a setting is an error. Variables that
// have our prefix by chance, or are for commands, are ignored.
func TestMistypedVariables(t *testing.T) {
	t.Parallel()
	_, err := load(t, []string{"WEBHOOKS_TRUSTED_PROXY=10.0.0.1", "WEBHOOKS_LISEN=:1", "WEBHOOKS_HOLD=1m", "WEBHOOKS_WORKERS=many", "PATH=/bin"})
	if err == nil {
		t.Fatal("no problem was reported")
	}
	for _, want := range []string{
		"WEBHOOKS_TRUSTED_PROXY: unknown setting; did you mean WEBHOOKS_TRUSTED_PROXIES?", "did you mean WEBHOOKS_LISTEN?",
		"did you mean WEBHOOKS_HOLD_TIMEOUT?", "WEBHOOKS_WORKERS: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("the value is shown: %v", err)
	}
	for _, variable := range []string{
		"USER", "PASSWORD", "TO", "SEAL_KEYS", "E2E_CANARY", "LISTEN",
		"PORT", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8080_TCP", "PORT_8080_TCP_ADDR", "PORT_8080_TCP_PROTO",
	} {
		if _, err := load(t, []string{"WEBHOOKS_" + variable + "=127.0.0.1:0"}); err != nil {
			t.Errorf("%s: got %v", variable, err)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	settings := config.Declare(set)
	if _, err := settings.Load([]string{"WEBHOOKS_REDIS=a:1,b:2", "WEBHOOKS_WORKERS=7"}); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, value := range settings.Values() {
		values[value[0]] = value[1]
	}
	if values["redis"] != "a:1,b:2" || values["workers"] != "7" || values["hold-timeout"] != "30m0s" {
		t.Errorf("got %v", values)
	}
	if _, ok := values["config"]; ok {
		t.Error("--config is listed as a setting")
	}
}

// Profiles are served to this machine alone.
func TestPprofAddr(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "127.0.0.1:6060", "127.8.8.8:0", "localhost:6060", "[::1]:6060"} {
		if _, err := load(t, nil, "--pprof-addr", addr); err != nil {
			t.Errorf("%q: %v", addr, err)
		}
	}
	for _, addr := range []string{":6060", "0.0.0.0:6060", "[::]:6060", "192.0.2.1:6060", "example.com:6060", "127.0.0.1", "127.0.0.1.example.com:6060"} {
		if _, err := load(t, nil, "--pprof-addr", addr); err == nil || !strings.Contains(err.Error(), "--pprof-addr") {
			t.Errorf("%q: got %v, want an error", addr, err)
		}
	}
}

// Variables that nothing reads are reported, but for those that Kubernetes sets for a
// service of this name; a misspelled one is an error, also if it is not a setting.
func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	settings := config.Declare(pflag.NewFlagSet("", pflag.ContinueOnError))
	environ := []string{
		"WEBHOOKS_SERVICE_HOST=10.0.0.1", "WEBHOOKS_PORT=tcp://10.0.0.1:80", "WEBHOOKS_PORT_80_TCP_ADDR=10.0.0.1", "WEBHOOKS_FOOBARBAZ=1",
		"WEBHOOKS_USER=dscape", "WEBHOOKS_WORKERS=3", "FOO=bar",
	}
	if _, err := settings.Load(environ); err != nil {
		t.Errorf("got %v", err)
	}
	if got := settings.Unknown(environ); !slices.Equal(got, []string{"WEBHOOKS_FOOBARBAZ"}) {
		t.Errorf("got %q", got)
	}
	_, err := config.Declare(pflag.NewFlagSet("", pflag.ContinueOnError)).Load([]string{"WEBHOOKS_PASWORD=x"})
	if err == nil || !strings.Contains(err.Error(), "did you mean WEBHOOKS_PASSWORD?") {
		t.Errorf("got %v", err)
	}
}

// Apps run in a cluster only with what that needs.
func TestRunner(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--runner kubernetes --registry registry.example.com/apps": "",
		"--runner kubernetes":         "--registry must be set with --runner kubernetes",
		"--runner docker":             "--runner",
		"--kubernetes-gateway public": "want NAMESPACE/NAME",
		"--kubernetes-gateway a/b --kubernetes-ingress-class nginx":                                                        "exclude each other",
		"--runner kubernetes --registry r.example.com --kubernetes-namespace My_Apps":                                      "--kubernetes-namespace",
		"--runner kubernetes --registry r.example.com --platform-url http://other.example.com --platform-key-file key.txt": "--runner is a setting of the platform",
	} {
		_, err := load(t, nil, strings.Fields(args)...)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", args, err, want)
		}
	}
}
