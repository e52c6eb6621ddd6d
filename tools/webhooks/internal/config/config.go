package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Config is what the operator sets. The tags name the settings.
type Config struct {
	Listen          string        `koanf:"listen"`
	Data            string        `koanf:"data"`
	BaseURL         string        `koanf:"base-url"`
	TrustedProxies  []string      `koanf:"trusted-proxies"`
	MaxConnections  int           `koanf:"max-connections"`
	TLSCert         string        `koanf:"tls-cert"`
	TLSKey          string        `koanf:"tls-key"`
	ACMEDomains     []string      `koanf:"acme-domains"`
	ACMEEmail       string        `koanf:"acme-email"`
	ACMEURL         string        `koanf:"acme-url"`
	ACMECAFile      string        `koanf:"acme-ca-file"`
	Wait            time.Duration `koanf:"wait"`
	AuthTimeout     time.Duration `koanf:"auth-timeout"`
	Drain           time.Duration `koanf:"drain"`
	ShutdownTimeout time.Duration `koanf:"shutdown-timeout"`
	LogLevel        string        `koanf:"log-level"`
	LogFormat       string        `koanf:"log-format"`

	Workers        int           `koanf:"workers"`
	Hold           time.Duration `koanf:"hold"`
	Lease          time.Duration `koanf:"lease"`
	RetryDelays    []string      `koanf:"retry-delays"`
	BuildTimeout   time.Duration `koanf:"build-timeout"`
	StartTimeout   time.Duration `koanf:"start-timeout"`
	RequestTimeout time.Duration `koanf:"request-timeout"`

	Redis                     []string `koanf:"redis"`
	RedisMaster               string   `koanf:"redis-master"`
	RedisCluster              bool     `koanf:"redis-cluster"`
	RedisUsername             string   `koanf:"redis-username"`
	RedisPasswordFile         string   `koanf:"redis-password-file"`
	RedisSentinelPasswordFile string   `koanf:"redis-sentinel-password-file"`
	RedisDB                   int      `koanf:"redis-db"`
	RedisPrefix               string   `koanf:"redis-prefix"`
	RedisTLS                  bool     `koanf:"redis-tls"`
	RedisCAFile               string   `koanf:"redis-ca-file"`

	KeepEntries  time.Duration `koanf:"keep-entries"`
	KeepPayloads time.Duration `koanf:"keep-payloads"`
	KeepChanges  time.Duration `koanf:"keep-changes"`
	MaxEntries   int           `koanf:"max-entries"`
	MaxChanges   int           `koanf:"max-changes"`

	GitHubURL          string   `koanf:"github-url"`
	GitHubArchiveHosts []string `koanf:"github-archive-hosts"`
	GitHubSHA1         bool     `koanf:"github-sha1"`
	TravisURL          string   `koanf:"travis-url"`
	TravisPublicKeys   []string `koanf:"travis-public-keys"`

	EmailSuccess     bool     `koanf:"email-success"`
	EmailErrors      bool     `koanf:"email-errors"`
	SMTPAddr         string   `koanf:"smtp-addr"`
	SMTPFrom         string   `koanf:"smtp-from"`
	SMTPUsername     string   `koanf:"smtp-username"`
	SMTPPasswordFile string   `koanf:"smtp-password-file"`
	SMTPTLS          string   `koanf:"smtp-tls"`
	NotifyURLs       []string `koanf:"notify-urls"`
	NotifySecretFile string   `koanf:"notify-secret-file"`
	PrivateHosts     []string `koanf:"private-hosts"`

	PlatformURL     string `koanf:"platform-url"`
	PlatformKeyFile string `koanf:"platform-key-file"`
	SealKeysFile    string `koanf:"seal-keys-file"`
	PlatformListen  string `koanf:"platform-listen"`
	AppsListen      string `koanf:"apps-listen"`
	AppsDomain      string `koanf:"apps-domain"`
	NpmRegistry     string `koanf:"npm-registry"`
}

// UploadTimeout is how long a deployment waits for the platform to have taken
// and built a snapshot. The platform must be the first to end a build that
// hangs, as it alone knows that this is the app's fault, and no later try will
// do better: so there is time besides to send the snapshot, and to wait for
// another build.
func (c Config) UploadTimeout() time.Duration { return 2*c.BuildTimeout + uploadAllowance }

const uploadAllowance = 10 * time.Minute

// shortestLease leaves some calls of the store time to renew a claim.
const shortestLease = time.Second

// Validate returns all faults of c, joined, each with the setting's name.
func (c Config) Validate() error {
	var faults []error
	fault := func(setting, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...)))
	}
	for setting, address := range map[string]string{"listen": c.Listen, "platform-listen": c.PlatformListen, "apps-listen": c.AppsListen} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			fault(setting, "%q is no address; write host:port or :port", address)
		}
	}
	for setting, address := range map[string]string{"base-url": c.BaseURL, "github-url": c.GitHubURL, "travis-url": c.TravisURL, "acme-url": c.ACMEURL, "platform-url": c.PlatformURL, "npm-registry": c.NpmRegistry} {
		if err := validURL(address); err != nil {
			fault(setting, "%v", err)
		}
	}
	for setting, d := range map[string]time.Duration{
		"auth-timeout": c.AuthTimeout, "shutdown-timeout": c.ShutdownTimeout, "hold": c.Hold, "build-timeout": c.BuildTimeout, "start-timeout": c.StartTimeout, "request-timeout": c.RequestTimeout,
		"keep-entries": c.KeepEntries, "keep-payloads": c.KeepPayloads, "keep-changes": c.KeepChanges,
	} {
		if d <= 0 {
			fault(setting, "%s is not longer than nothing", d)
		}
	}
	if c.Lease < shortestLease {
		fault("lease", "%s is shorter than %s, within which a claim can't be renewed for sure", c.Lease, shortestLease)
	}
	if c.MaxConnections < 0 {
		fault("max-connections", "%d is less than none", c.MaxConnections)
	}
	if c.Drain < 0 {
		fault("drain", "%s is less than nothing", c.Drain)
	}
	if c.Wait < 0 || c.Wait > time.Minute {
		fault("wait", "%s is not between 0 and 1m; GitHub gives up after 10s", c.Wait)
	}
	for setting, n := range map[string]int{"workers": c.Workers, "max-entries": c.MaxEntries, "max-changes": c.MaxChanges} {
		if n < 1 {
			fault(setting, "%d is less than 1", n)
		}
	}
	c.validateRedis(fault)
	if _, err := c.Retries(); err != nil {
		fault("retry-delays", "%v", err)
	}
	for _, proxy := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(proxy); err != nil && net.ParseIP(proxy) == nil {
			fault("trusted-proxies", "%q is neither an address nor a network such as 10.0.0.0/8", proxy)
		}
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		fault("log-level", "%q is none of debug, info, warn, error", c.LogLevel)
	}
	if c.LogFormat != "json" && c.LogFormat != "console" {
		fault("log-format", "%q is neither json nor console", c.LogFormat)
	}
	if c.Data == "" {
		fault("data", "no folder is named")
	}
	c.validatePlatform(fault)
	c.validateNotifications(fault)
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		fault("tls-key", "tls-cert and tls-key go together")
	case c.TLSCert != "" && len(c.ACMEDomains) > 0:
		fault("acme-domains", "certificates come from files or from an ACME server; leave one of them out")
	}
	return errors.Join(faults...)
}

func (c Config) validateNotifications(fault func(setting, format string, args ...any)) {
	if _, _, err := net.SplitHostPort(c.SMTPAddr); err != nil && c.SMTPAddr != "" {
		fault("smtp-addr", "%q is no address; write host:port", c.SMTPAddr)
	}
	if _, err := mail.ParseAddress(c.SMTPFrom); err != nil && (c.SMTPAddr != "" || c.SMTPFrom != "") {
		fault("smtp-from", "%q is no address of a sender; write \"Webhooks <webhooks@example.com>\"", c.SMTPFrom)
	}
	if (c.EmailSuccess || c.EmailErrors) && c.SMTPAddr == "" {
		fault("smtp-addr", "mail needs a server that takes it")
	}
	switch c.SMTPTLS {
	case "starttls", "tls", "none":
	default:
		fault("smtp-tls", "%q is none of starttls, tls, none", c.SMTPTLS)
	}
	if (c.SMTPUsername == "") != (c.SMTPPasswordFile == "") {
		fault("smtp-password-file", "smtp-username and smtp-password-file go together")
	}
	for _, address := range c.NotifyURLs {
		if err := validURL(address); err != nil || address == "" {
			fault("notify-urls", "one of them is no http or https URL without credentials")
		}
	}
	for _, host := range c.PrivateHosts {
		if u, err := url.Parse("http://" + host); err != nil || u.Hostname() != host || u.Host != host {
			fault("private-hosts", "%q is no host name; write it as in the URL, without a port", host)
		}
	}
}

func (c Config) validatePlatform(fault func(setting, format string, args ...any)) {
	if c.PlatformURL != "" && c.PlatformKeyFile == "" {
		fault("platform-key-file", "a platform at another URL needs the file with its key")
	}
}

func (c Config) validateRedis(fault func(setting, format string, args ...any)) {
	for _, address := range c.Redis {
		if _, _, err := net.SplitHostPort(address); err != nil {
			fault("redis", "%q is no address; write host:port, and credentials in settings of their own", address)
		}
	}
	switch {
	case c.RedisCluster && c.RedisMaster != "":
		fault("redis-cluster", "a Cluster has no Sentinels; set this or redis-master")
	case c.RedisCluster && c.RedisDB != 0:
		fault("redis-db", "a Cluster has database 0 alone")
	}
	if strings.ContainsAny(c.RedisPrefix, "{} ") || c.RedisPrefix == "" {
		fault("redis-prefix", "%q can't begin a key; write a word", c.RedisPrefix)
	}
}

func validURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("no http or https URL")
	case u.User != nil:
		return errors.New("credentials have no place in this URL")
	}
	return nil
}

// Proxies returns the trusted proxies as networks; those that Validate finds
// fault with are left out.
func (c Config) Proxies() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if ip, notIP := netip.ParseAddr(text); err != nil && notIP == nil {
			prefix, err = ip.Unmap().Prefix(ip.Unmap().BitLen())
		}
		if err == nil {
			all = append(all, prefix.Masked())
		}
	}
	return all
}

// Retries returns the delays between tries.
func (c Config) Retries() ([]time.Duration, error) {
	delays := make([]time.Duration, 0, len(c.RetryDelays))
	for _, text := range c.RetryDelays {
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("%q is no length of time such as 30s", text)
		}
		delays = append(delays, d)
	}
	return delays, nil
}

// Secure tells whether this API and the apps are served by TLS.
func (c Config) Secure() bool { return c.TLSCert != "" || len(c.ACMEDomains) > 0 }

// StorePath is the file of the embedded store.
func (c Config) StorePath() string { return filepath.Join(c.Data, "webhooks.db") }

// PlatformDir is the folder of the embedded platform.
func (c Config) PlatformDir() string { return filepath.Join(c.Data, "platform") }

// PlatformStorePath is the file of its users and apps.
func (c Config) PlatformStorePath() string { return filepath.Join(c.PlatformDir(), "platform.db") }

// PlatformURLFile is where a running server tells its platform's URL.
func (c Config) PlatformURLFile() string { return filepath.Join(c.PlatformDir(), "platform.url") }

// PlatformKey returns the key that we share with the platform; "" where the
// embedded platform has not made one yet.
func (c Config) PlatformKey() (core.Secret, error) {
	path := c.PlatformKeyFile
	if path == "" {
		path = filepath.Join(c.PlatformDir(), "platform.key")
	}
	return SecretFile(path)
}

// SealKeysPath is the file with the keys that access tokens are encrypted with.
func (c Config) SealKeysPath() string {
	if c.SealKeysFile != "" {
		return c.SealKeysFile
	}
	return filepath.Join(c.PlatformDir(), "seal.keys")
}

// SealKeys returns the keys that access tokens are encrypted with: those of the
// file that the settings name, else those of the variable WEBHOOKS_SEAL_KEYS of
// environ; "" where the platform keeps its own.
func (c Config) SealKeys(environ []string) (core.Secret, error) {
	if c.SealKeysFile == "" {
		return core.Secret(strings.ReplaceAll(environment(environ, EnvPrefix+"SEAL_KEYS"), ",", "\n")), nil
	}
	keys, err := SecretFile(c.SealKeysFile)
	if err != nil {
		return "", fmt.Errorf("seal-keys-file: %w", err)
	}
	return keys, nil
}

// TravisKeys returns the pinned public keys of Travis CI, in PEM.
func (c Config) TravisKeys() ([]core.Secret, error) {
	keys := make([]core.Secret, 0, len(c.TravisPublicKeys))
	for _, path := range c.TravisPublicKeys {
		key, err := SecretFile(path)
		if err != nil {
			return nil, fmt.Errorf("travis-public-keys: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// SecretFile reads a secret: the text of a file, without space around it.
func SecretFile(path string) (core.Secret, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	return core.Secret(strings.TrimSpace(string(text))), nil
}
