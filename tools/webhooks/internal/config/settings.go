package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// EnvPrefix begins the name of each environment variable that is a setting:
// the flag --github-url is WEBHOOKS_GITHUB_URL.
const EnvPrefix = "WEBHOOKS_"

// fileFlag names the settings' file; it is no setting itself.
const fileFlag = "config"

// Flags adds every setting to set, with its default and meaning.
func Flags(set *pflag.FlagSet) {
	set.String(fileFlag, "", "a YAML file of settings, by the names of these flags")

	set.String("listen", ":8080", "address of the webhooks API")
	set.String("data", defaultData(), "folder for everything that is kept")
	set.String("base-url", "", "this service's URL as others see it; default: as each request names it")
	set.StringSlice("trusted-proxies", nil, "addresses or networks whose X-Forwarded headers are believed")
	set.Int("max-connections", 0, "connections at a time on each port, of which one address has a quarter; default: by how many files the process may open")
	set.String("tls-cert", "", "PEM file with the certificate and its chain, for this API and the apps; read anew when it changes")
	set.String("tls-key", "", "PEM file with its key")
	set.StringSlice("acme-domains", nil, "host names of this API: it and the apps get certificates from an ACME server; --listen or --apps-listen must be reached at port 443")
	set.String("acme-email", "", "address that the ACME server may write to")
	set.String("acme-url", "", "URL of the ACME server's directory; default: Let's Encrypt's")
	set.String("acme-ca-file", "", "PEM file of the authorities that the ACME server's own certificate may be of; default: the system's")
	set.Duration("wait", 8*time.Second, "how long a delivery's request waits for the outcome; GitHub gives up after 10s")
	set.Duration("auth-timeout", 3*time.Second, "how long it may take to find out who sent a delivery, as part of that")
	set.Duration("drain", 0, "after a signal to stop, how long only /readyz says so, for a balancer to notice")
	set.Duration("shutdown-timeout", 30*time.Second, "how long deployments may go on after a signal to stop")
	set.String("log-level", "info", "debug, info, warn or error")
	set.String("log-format", "json", "json or console")

	set.Int("workers", 4, "deployments at a time")
	set.Duration("hold", 30*time.Minute, "how long a push waits for Travis CI's report")
	set.Duration("lease", 30*time.Second, "after what time the work of a process that died is taken up again")
	set.StringSlice("retry-delays", []string{"5s", "30s", "2m", "10m", "30m"}, "pauses between tries after failures that may pass")
	set.Duration("build-timeout", 10*time.Minute, "how long the embedded platform lets a build take; a deployment waits longer, as it may have to wait for other builds")
	set.Duration("start-timeout", 30*time.Second, "how long an app may take to accept connections, and its health path to answer")
	set.Duration("request-timeout", time.Minute, "how long requests to a version of an app may go on when another has replaced it")

	set.StringSlice("redis", nil, "host:port of the Redis that several servers share, or of its nodes or Sentinels; default: a file in the data folder")
	set.String("redis-master", "", "name that Sentinel knows the master by; then --redis names the Sentinels")
	set.Bool("redis-cluster", false, "--redis names nodes of a Cluster")
	set.String("redis-username", "", "ACL user at Redis")
	set.String("redis-password-file", "", "file with the password at Redis")
	set.String("redis-sentinel-password-file", "", "file with the password at the Sentinels")
	set.Int("redis-db", 0, "number of the database; not on a Cluster")
	set.String("redis-prefix", "webhooks", "what our keys begin with, for servers that share a Redis and nothing else")
	set.Bool("redis-tls", false, "speak TLS with Redis")
	set.String("redis-ca-file", "", "PEM file of the authorities that Redis' certificate may be of; default: the system's")

	set.Duration("keep-entries", 365*24*time.Hour, "how long deliveries that have ended stay in the log")
	set.Duration("keep-payloads", 30*24*time.Hour, "how long their payloads are kept")
	set.Duration("keep-changes", 7*24*time.Hour, "how far back the change feed can be resumed")
	set.Int("max-entries", 10_000, "deliveries of one user that are kept")
	set.Int("max-changes", 10_000, "changes of one user that are kept")

	set.String("github-url", "", "base URL of GitHub's API; default: https://api.github.com/ (GitHub Enterprise: https://HOST/api/v3/)")
	set.StringSlice("github-archive-hosts", nil, "further hosts that GitHub may send us to for a tarball")
	set.Bool("github-sha1", false, "believe deliveries that are signed with HMAC-SHA1 alone, as old GitHub Enterprise servers sign")
	set.String("travis-url", "https://api.travis-ci.com", "URL of the API that tells the key that Travis CI signs with; another one for Travis CI Enterprise")
	set.StringSlice("travis-public-keys", nil, "PEM files with the only keys that Travis CI may sign with; then its API is not asked")

	set.Bool("email-success", false, "tell users by mail of each deployment; else only where GitHub's former service hook asks for it")
	set.Bool("email-errors", false, "tell users by mail of each deployment that failed; else as --email-success")
	set.String("smtp-addr", "", "host:port of the server that takes mail; default: no mail is sent")
	set.String("smtp-from", "", "sender, such as \"Webhooks <webhooks@example.com>\"")
	set.String("smtp-username", "", "user at the mail server")
	set.String("smtp-password-file", "", "file with the password at the mail server")
	set.String("smtp-tls", "starttls", "starttls, tls (from the begin, as on port 465) or none")
	set.StringSlice("notify-urls", nil, "URLs that each outcome of a deployment is posted to")
	set.String("notify-secret-file", "", "file with the secret that these posts are signed with, as GitHub and Standard Webhooks sign")
	set.StringSlice("private-hosts", nil, "host names in --notify-urls and --travis-url that may have private addresses; addresses written there, and localhost, may anyway")

	set.String("platform-url", "", "URL of a platform; default: the embedded one")
	set.String("platform-key-file", "", "file with the key that we share with the platform; default: the embedded platform's")
	set.String("seal-keys-file", "", "file with the keys that access tokens are encrypted with, see `webhooks keys`; default: one in the data folder, or WEBHOOKS_SEAL_KEYS")
	set.String("platform-listen", "127.0.0.1:8001", "address of the embedded platform's API")
	set.String("apps-listen", ":8000", "address where the apps are reached")
	set.String("apps-domain", "localhost", "domain below which each app has its subdomain")
	set.String("npm-registry", "", "npm registry for builds; default: npm's own")
}

// Names returns the names of all settings.
func Names() []string {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	Flags(set)
	var names []string
	set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// defaultData is where a service keeps its data: for root the system's place,
// for others their own.
func defaultData() string {
	if os.Getuid() == 0 {
		return "/var/lib/webhooks"
	}
	if state := os.Getenv("XDG_STATE_HOME"); state != "" {
		return filepath.Join(state, "webhooks")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "webhooks-data"
	}
	return filepath.Join(home, ".local", "state", "webhooks")
}

// Load reads the settings: set, parsed, over the environment over the file
// that --config names. It lists all faults of what it finds.
func Load(set *pflag.FlagSet, environ []string) (Config, error) {
	k, err := layers(set, environ)
	if err != nil {
		return Config{}, err
	}
	var c Config
	if err := k.Unmarshal("", &c); err != nil {
		return Config{}, fmt.Errorf("settings: %w", err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("settings:\n%w", err)
	}
	return c, nil
}

// Values returns the settings in force by name, after checking them as Load
// does. None of them is a secret: those stand in files of their own.
func Values(set *pflag.FlagSet, environ []string) (map[string]any, error) {
	if _, err := Load(set, environ); err != nil {
		return nil, err
	}
	k, err := layers(set, environ)
	if err != nil {
		return nil, err
	}
	return k.Raw(), nil
}

// delimiter never stands in a setting's name: settings are flat.
const delimiter = "\x00"

func layers(set *pflag.FlagSet, environ []string) (*koanf.Koanf, error) {
	k := koanf.New(delimiter)
	path, err := set.GetString(fileFlag)
	if err != nil {
		return nil, err
	}
	if path == "" {
		path = environment(environ, EnvPrefix+"CONFIG")
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return nil, fmt.Errorf("settings file: %w", err)
		}
	}
	settings := Names()
	known := func(name string) bool { return slices.Contains(settings, name) && name != fileFlag }
	var unknown []string
	for _, name := range k.Keys() {
		if !known(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("settings file %s: no such settings: %s", path, strings.Join(unknown, ", "))
	}
	if err := mistyped(environ, settings); err != nil {
		return nil, err
	}
	err = k.Load(env.Provider(delimiter, env.Opt{
		Prefix:      EnvPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(key, value string) (string, any) {
			name := settingOf(key)
			if !known(name) {
				return "", nil // such as WEBHOOKS_PASSWORD, which is no setting
			}
			if set.Lookup(name).Value.Type() == "stringSlice" {
				return name, strings.Split(value, ",")
			}
			return name, value
		},
	}), nil)
	if err != nil {
		return nil, fmt.Errorf("settings from the environment: %w", err)
	}
	if err := k.Load(posflag.Provider(set, delimiter, k), nil); err != nil {
		return nil, fmt.Errorf("settings from flags: %w", err)
	}
	for _, name := range k.Keys() {
		if !known(name) {
			k.Delete(name) // a flag of the command that is no setting
		}
	}
	return k, nil
}

// settingOf returns the name of the setting that a variable has, if it is one's.
func settingOf(variable string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, EnvPrefix)), "_", "-")
}

func variableOf(setting string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

func environment(environ []string, name string) string {
	for _, pair := range environ {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value
		}
	}
	return ""
}
