package config

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// Config has the value of every setting. A setting is named as the option that
// it sets.
type Config struct {
	Domain          string
	BehindProxy     bool
	Listen          string
	RedirectListen  string
	Data            string
	BaseURL         string
	TrustedProxies  []string
	MaxConnections  int
	TLSCert         string
	TLSKey          string
	ACMEDomains     []string
	ACMEEmail       string
	ACMEURL         string
	ACMECAFile      string
	Wait            time.Duration
	AuthTimeout     time.Duration
	ShutdownDelay   time.Duration
	ShutdownTimeout time.Duration
	LogLevel        string
	LogFormat       string
	MetricsAddr     string
	PprofAddr       string

	Workers        int
	HoldTimeout    time.Duration
	GateInterval   time.Duration
	MissedInterval time.Duration
	Lease          time.Duration
	RetryDelays    []time.Duration
	UploadTimeout  time.Duration

	PlatformURL     string
	PlatformKeyFile string
	SealKeysFile    string
	PlatformListen  string
	AppsListen      string
	AppsDomain      string
	AppsURL         string
	NpmRegistry     string
	BuildTimeout    time.Duration
	ReadyTimeout    time.Duration
	MinReadyTime    time.Duration
	DrainTimeout    time.Duration
	AppsOnStop      string
	OrphanTimeout   time.Duration
	BuildMemory     int
	AppMemory       int
	AppMaxMemory    int
	DiskBudget      int
	KeepSnapshots   int
	AccessLog       bool

	Runner                  string
	Kubeconfig              string
	KubernetesNamespace     string
	KubernetesStorageClass  string
	KubernetesPullSecret    string
	KubernetesGateway       string
	KubernetesIngressClass  string
	KubernetesNetworkPolicy []string
	Registry                string
	RegistryConfig          string
	BaseImage               string

	Redis                     []string
	RedisMaster               string
	RedisCluster              bool
	RedisUsername             string
	RedisPasswordFile         string
	RedisSentinelPasswordFile string
	RedisDB                   int
	RedisPrefix               string
	RedisTLS                  bool
	RedisCAFile               string

	KeepEntries  time.Duration
	KeepPayloads time.Duration
	KeepChanges  time.Duration
	MaxEntries   int
	MaxChanges   int

	Forges             []string
	GitHubURL          string
	GitHubArchiveHosts []string
	GitHubSHA1         bool
	TravisURL          string
	TravisPublicKeys   []string

	EmailSuccess     bool
	EmailErrors      bool
	SMTPAddr         string
	SMTPFrom         string
	SMTPUsername     string
	SMTPPasswordFile string
	SMTPTLS          string
	NotifyURLs       []string
	NotifySecretFile string
	PrivateHosts     []string
}

// What becomes of the apps when the server stops.
const (
	StopApps = "stop"
	KeepApps = "keep"
)

// What runs the apps.
const (
	Processes  = "processes"
	Kubernetes = "kubernetes"
)

// declare declares every setting: where its value goes, its name, its default,
// the check of a value, and the help text. The flag, the environment variable,
// the key in the file and the messages derive from this table.
func (s *Settings) declare() {
	c := &s.config
	declare(s, &c.Domain, "domain", "", optional(hostName), "public domain: https://DOMAIN is the API, https://NAME.DOMAIN an app, with certificates by ACME on the ports 443 and 80; the default of most settings below")
	declare(s, &c.BehindProxy, "behind-proxy", false, nil, "a proxy on this machine terminates TLS for --domain: listen without TLS on 127.0.0.1:8080, and trust the proxy's X-Forwarded headers")
	declare(s, &c.Listen, "listen", ":8080", address, "address of the webhooks API and, by host name, of the apps")
	declare(s, &c.RedirectListen, "redirect-listen", "", optional(address), "address without TLS, usually :80, that redirects to https and answers challenges of the ACME server")
	declare(s, &c.Data, "data", defaultData(), notEmpty, "folder for all data of the server")
	declare(s, &c.BaseURL, "base-url", "", optional(httpURL), "public URL of this service; default: taken from each request")
	declare(s, &c.TrustedProxies, "trusted-proxies", nil, each(network), "addresses or networks of proxies whose X-Forwarded headers are trusted")
	declare(s, &c.MaxConnections, "max-connections", 0, atLeast(0), "connections at a time on each port, a quarter of them from one address; default: from the limit of open files")
	declare(s, &c.TLSCert, "tls-cert", "", nil, "PEM file with the certificate and its chain, for the API and the apps; reloaded when it changes")
	declare(s, &c.TLSKey, "tls-key", "", nil, "PEM file with the key of the certificate")
	declare(s, &c.ACMEDomains, "acme-domains", nil, nil, "host names of the API: it and the apps get certificates from an ACME server, which must reach --listen or --apps-listen at port 443, or --redirect-listen at port 80")
	declare(s, &c.ACMEEmail, "acme-email", "", nil, "contact address for the ACME server")
	declare(s, &c.ACMEURL, "acme-url", "", optional(httpURL), "directory URL of the ACME server; default: Let's Encrypt")
	declare(s, &c.ACMECAFile, "acme-ca-file", "", nil, "PEM file with the certificate authorities of the ACME server; default: those of the system")
	declare(s, &c.Wait, "wait", 8*time.Second, between(0, 10*time.Minute), "how long a delivery's request waits for the outcome; GitHub gives up after 10s")
	declare(s, &c.AuthTimeout, "auth-timeout", 3*time.Second, positive, "time limit for authenticating the sender of a delivery, part of --wait")
	declare(s, &c.ShutdownDelay, "shutdown-delay", 0, notNegative, "after a signal to stop, how long the server goes on with /readyz failing, so that a load balancer notices")
	declare(s, &c.ShutdownTimeout, "shutdown-timeout", 30*time.Second, positive, "time limit for running deployments after a signal to stop; all else together takes 90 seconds at most")
	declare(s, &c.LogLevel, "log-level", "info", oneOf("debug", "info", "warn", "error"), "debug, info, warn or error")
	declare(s, &c.LogFormat, "log-format", "auto", oneOf("auto", "json", "console"), "json, console, or auto: console on a terminal, else json")
	declare(s, &c.MetricsAddr, "metrics-addr", "", optional(address), "address that serves metrics for Prometheus at /metrics, such as 127.0.0.1:9090; whoever reaches it can read them; default: none")
	declare(s, &c.PprofAddr, "pprof-addr", "", optional(loopback), "loopback address that serves profiles of the server at /debug/pprof/, such as 127.0.0.1:6060; default: none")

	declare(s, &c.Workers, "workers", 4, atLeast(1), "deployments at a time")
	declare(s, &c.HoldTimeout, "hold-timeout", 30*time.Minute, positive, "how long a push waits for its CI report")
	declare(s, &c.GateInterval, "gate-interval", time.Minute, positive, "between two looks at the checks that a push waits for; after five of them without a run there is none")
	declare(s, &c.MissedInterval, "missed-interval", time.Hour, notNegative, "between two looks for deliveries that no server answered, the first at the start; 0: never")
	declare(s, &c.Lease, "lease", 30*time.Second, leaseTime, "after this time the work of a process that died is retried")
	declare(s, &c.RetryDelays, "retry-delays", []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute},
		each(positive), "delays before the retries of a temporary failure")
	declare(s, &c.UploadTimeout, "upload-timeout", 30*time.Minute, positive, "time limit for uploading and building a snapshot, with the wait for other builds; more than --build-timeout")

	declare(s, &c.PlatformURL, "platform-url", "", optional(httpURL), "URL of a platform elsewhere; default: the embedded platform")
	declare(s, &c.PlatformKeyFile, "platform-key-file", "", nil, "file with the key shared with the platform; default: that of the embedded platform")
	declare(s, &c.SealKeysFile, "seal-keys-file", "", nil, "file with the keys that encrypt access tokens, see \"webhooks keys\"; default: a file in the data folder, or WEBHOOKS_SEAL_KEYS")
	declare(s, &c.PlatformListen, "platform-listen", "127.0.0.1:8001", address, "address of the embedded platform's API")
	declare(s, &c.AppsListen, "apps-listen", "", optional(address), "address where the apps are reached; default: --listen, by host name")
	declare(s, &c.AppsDomain, "apps-domain", "localhost", notEmpty, "domain of the apps; each has a subdomain of it")
	declare(s, &c.AppsURL, "apps-url", "", optional(httpURL), "URL of the apps' domain as people use it, such as https://example.com behind a proxy; default: by --apps-domain and the listener")
	declare(s, &c.NpmRegistry, "npm-registry", "", optional(httpURL), "npm registry for builds; default: npm's own")
	declare(s, &c.BuildTimeout, "build-timeout", 10*time.Minute, positive, "time limit for a build")
	declare(s, &c.BuildMemory, "build-memory", 2048, atLeast(256), "memory in MiB that all processes of a build may have together")
	declare(s, &c.ReadyTimeout, "ready-timeout", 30*time.Second, positive, "time limit for a new version to accept connections, and for its health path to answer")
	declare(s, &c.MinReadyTime, "min-ready-time", 5*time.Second, notNegative, "for how long a new version must be up until it gets the requests; if it crashes in that time, its deployment has failed")
	declare(s, &c.DrainTimeout, "drain-timeout", time.Minute, positive, "time limit for the open requests of a version that was replaced")
	declare(s, &c.AppsOnStop, "apps-on-stop", StopApps, oneOf(StopApps, KeepApps), "what becomes of the apps when the server stops: stop them, or keep them running for the next server, which a service manager starts at once. Apps always outlive a server that is killed")
	declare(s, &c.OrphanTimeout, "orphan-timeout", 0, notNegative, "for how long apps go on without a server; 0: for ever")
	declare(s, &c.AppMemory, "app-memory", 1024, atLeast(64), "memory in MiB that all processes of a drone may have together, unless its owner sets another limit")
	declare(s, &c.AppMaxMemory, "app-max-memory", 4096, atLeast(64), "largest memory limit in MiB that an owner may set by \"webhooks apps limits\"; at least --app-memory")

	declare(s, &c.DiskBudget, "disk-budget", 0, atLeast(0), "disk space in MiB for snapshots, builds and caches: when nine tenths are used, build caches and then the oldest snapshots are removed, but none that serves, served last, is active or the newest of its app; default: no limit")
	declare(s, &c.KeepSnapshots, "keep-snapshots", 10, atLeast(1), "snapshots that are kept of each app, beside the active one and those that serve")
	declare(s, &c.AccessLog, "access-log", false, nil, "log a line about each request to an app: app, method, path without the query, status, duration, bytes and request id")

	declare(s, &c.Runner, "runner", Processes, oneOf(Processes, Kubernetes), "what runs the apps: processes of this machine, or a Kubernetes cluster; they are built on this machine")
	declare(s, &c.Kubeconfig, "kubeconfig", "", nil, "file whose current context is the cluster; default: the cluster that the server runs in, by its service account")
	declare(s, &c.KubernetesNamespace, "kubernetes-namespace", "", optional(dnsLabel), "namespace of all apps, which must exist; default: one for each user, webhooks-USER, which the server creates")
	declare(s, &c.KubernetesStorageClass, "kubernetes-storage-class", "", nil, "class of the volumes of the apps' DATA_DIR, which several pods must be able to mount; default: a folder in each pod, which is lost with it")
	declare(s, &c.KubernetesPullSecret, "kubernetes-pull-secret", "", optional(dnsLabel), "Secret in the apps' namespaces by which nodes pull images; default: none")
	declare(s, &c.KubernetesGateway, "kubernetes-gateway", "", optional(gateway), "Gateway that an HTTPRoute of each app is attached to, NAMESPACE/NAME; default: only the server's own router reaches the apps")
	declare(s, &c.KubernetesIngressClass, "kubernetes-ingress-class", "", optional(dnsLabel), "class of an Ingress of each app, in clusters without the Gateway API")
	declare(s, &c.KubernetesNetworkPolicy, "kubernetes-network-policy", nil, each(dnsLabel), "namespaces whose pods may reach the apps, such as that of the gateway; other pods then can't, and the apps don't reach the metadata of a cloud; default: no NetworkPolicy")
	declare(s, &c.Registry, "registry", "", nil, "registry that images of the apps are pushed to and pulled from, such as registry.example.com/apps")
	declare(s, &c.RegistryConfig, "registry-config", "", nil, "file with the credentials for the registry, in the form of Docker's config.json; default: Docker's own")
	declare(s, &c.BaseImage, "base-image", "node:%s-slim", notEmpty, "image that those of the apps are based on; %s in it is the major version of Node.js")

	declare(s, &c.Redis, "redis", nil, each(address), "host:port of a Redis that several servers share, or of its nodes or Sentinels; default: a file in the data folder")
	declare(s, &c.RedisMaster, "redis-master", "", nil, "name of the master at the Sentinels; then --redis lists the Sentinels")
	declare(s, &c.RedisCluster, "redis-cluster", false, nil, "--redis lists nodes of a Redis Cluster")
	declare(s, &c.RedisUsername, "redis-username", "", nil, "user name for Redis")
	declare(s, &c.RedisPasswordFile, "redis-password-file", "", nil, "file with the password for Redis")
	declare(s, &c.RedisSentinelPasswordFile, "redis-sentinel-password-file", "", nil, "file with the password for the Sentinels")
	declare(s, &c.RedisDB, "redis-db", 0, atLeast(0), "database number; must be 0 for a Cluster")
	declare(s, &c.RedisPrefix, "redis-prefix", "webhooks", keyPrefix, "prefix of all keys in Redis")
	declare(s, &c.RedisTLS, "redis-tls", false, nil, "connect to Redis by TLS")
	declare(s, &c.RedisCAFile, "redis-ca-file", "", nil, "PEM file with the certificate authorities of Redis; default: those of the system")

	declare(s, &c.KeepEntries, "keep-entries", 365*24*time.Hour, positive, "how long finished deliveries stay in the log")
	declare(s, &c.KeepPayloads, "keep-payloads", 30*24*time.Hour, positive, "how long payloads of deliveries are kept")
	declare(s, &c.KeepChanges, "keep-changes", 7*24*time.Hour, positive, "how far back a reader can resume the change feed")
	declare(s, &c.MaxEntries, "max-entries", 10_000, atLeast(1), "deliveries that are kept for each user")
	declare(s, &c.MaxChanges, "max-changes", 10_000, atLeast(1), "changes that are kept for each user")

	declare(s, &c.GitHubURL, "github-url", "", optional(httpURL), "base URL of GitHub's API; default: https://api.github.com/ (GitHub Enterprise: https://HOST/api/v3/)")
	declare(s, &c.Forges, "forges", nil, each(forge), "more forges to deploy from: gitlab, bitbucket, gitlab=URL, gitea=URL, forgejo=URL, gogs=URL or bitbucket-dc=URL (Bitbucket Data Center)")
	declare(s, &c.GitHubArchiveHosts, "github-archive-hosts", nil, nil, "more hosts that GitHub may redirect to for a tarball")
	declare(s, &c.GitHubSHA1, "github-sha1", false, nil, "accept deliveries that are signed with HMAC-SHA1 alone, as by old GitHub Enterprise servers")
	declare(s, &c.TravisURL, "travis-url", "https://api.travis-ci.com", httpURL, "URL of Travis CI's API, which has the keys of its signatures; for Travis CI Enterprise")
	declare(s, &c.TravisPublicKeys, "travis-public-keys", nil, nil, "PEM files with the only keys accepted for Travis CI's signatures; its API is not used then")

	declare(s, &c.EmailSuccess, "email-success", false, nil, "mail users about each deployment; default: only if GitHub's former service hook asks for it")
	declare(s, &c.EmailErrors, "email-errors", false, nil, "mail users about each failed deployment; default: as --email-success")
	declare(s, &c.SMTPAddr, "smtp-addr", "", optional(address), "host:port of the mail server; default: no mail is sent")
	declare(s, &c.SMTPFrom, "smtp-from", "", optional(mailbox), "sender of mail, such as \"Webhooks <webhooks@example.com>\"")
	declare(s, &c.SMTPUsername, "smtp-username", "", nil, "user name for the mail server")
	declare(s, &c.SMTPPasswordFile, "smtp-password-file", "", nil, "file with the password for the mail server")
	declare(s, &c.SMTPTLS, "smtp-tls", "starttls", oneOf("starttls", "tls", "none"), "starttls, tls (implicit TLS, as on port 465) or none")
	declare(s, &c.NotifyURLs, "notify-urls", nil, each(httpURL), "URLs that each outcome of a deployment is posted to")
	declare(s, &c.NotifySecretFile, "notify-secret-file", "", nil, "file with the secret that signs these posts, in the form of GitHub and of Standard Webhooks")
	declare(s, &c.PrivateHosts, "private-hosts", nil, each(hostName), "host names in --forges, --notify-urls, --travis-url and --base-url that may resolve to private addresses; localhost and literal addresses there always may. The services of \"webhooks notify\" may have private addresses only if they are named here")
}

// defaultData is the data folder of root or of another user.
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

// validate checks what concerns several settings.
func (c Config) validate() []error {
	var problems []error
	require := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, errors.New(problem))
		}
	}
	require(!c.BehindProxy || c.Domain != "", "--behind-proxy needs --domain")
	require(!c.BehindProxy || c.TLSCert == "" && len(c.ACMEDomains) == 0, "--behind-proxy excludes --tls-cert and --acme-domains: the proxy terminates TLS")
	require(c.RedirectListen == "" || c.TLSCert != "" || len(c.ACMEDomains) > 0, "--redirect-listen needs --tls-cert, --acme-domains or --domain")
	require((c.TLSCert == "") == (c.TLSKey == ""), "--tls-cert and --tls-key must be set together")
	require(c.TLSCert == "" || len(c.ACMEDomains) == 0, "--tls-cert and --acme-domains exclude each other")
	require(c.UploadTimeout > c.BuildTimeout, "--upload-timeout must be more than --build-timeout, so that the platform is the first to end a build that hangs")
	require(c.PlatformURL == "" || c.PlatformKeyFile != "", "--platform-key-file must be set with --platform-url")
	require(c.Runner != Kubernetes || c.Registry != "", "--registry must be set with --runner kubernetes")
	require(c.Runner != Kubernetes || c.PlatformURL == "", "--runner is a setting of the platform that --platform-url names")
	require(c.KubernetesGateway == "" || c.KubernetesIngressClass == "", "--kubernetes-gateway and --kubernetes-ingress-class exclude each other")
	require(!c.RedisCluster || c.RedisMaster == "", "--redis-cluster and --redis-master exclude each other")
	require(!c.RedisCluster || c.RedisDB == 0, "--redis-db must be 0 with --redis-cluster")
	require(c.SMTPAddr == "" || c.SMTPFrom != "", "--smtp-from must be set with --smtp-addr")
	require(c.SMTPAddr != "" || !c.EmailSuccess && !c.EmailErrors, "--smtp-addr must be set with --email-success or --email-errors")
	require((c.SMTPUsername == "") == (c.SMTPPasswordFile == ""), "--smtp-username and --smtp-password-file must be set together")
	return problems
}

// deriveFromDomain sets what --domain implies and what is not set.
func (c *Config) deriveFromDomain(set map[string]bool) {
	if c.Domain == "" {
		return
	}
	imply := func(name string, p *string, value string) {
		if !set[name] {
			*p = value
		}
	}
	imply("apps-domain", &c.AppsDomain, c.Domain)
	if c.BehindProxy {
		imply("listen", &c.Listen, "127.0.0.1:8080")
		if !set["trusted-proxies"] {
			c.TrustedProxies = []string{"127.0.0.1", "::1"}
		}
		imply("base-url", &c.BaseURL, "https://"+c.Domain)
		imply("apps-url", &c.AppsURL, "https://"+c.Domain)
		return
	}
	imply("listen", &c.Listen, ":443")
	imply("redirect-listen", &c.RedirectListen, ":80")
	if !set["acme-domains"] && c.TLSCert == "" {
		c.ACMEDomains = []string{c.Domain}
	}
	switch _, port, _ := net.SplitHostPort(c.Listen); port { // checked already
	case "443":
		imply("base-url", &c.BaseURL, "https://"+c.Domain)
	case "0": // any port; links have that of the request
	default:
		imply("base-url", &c.BaseURL, "https://"+net.JoinHostPort(c.Domain, port))
	}
}

// SharesListener reports whether the apps are served by the listener of the API.
func (c Config) SharesListener() bool {
	return c.PlatformURL == "" && (c.AppsListen == "" || c.AppsListen == c.Listen && !strings.HasSuffix(c.Listen, ":0"))
}

// PlatformAlone returns the settings of a process without the API.
func (c Config) PlatformAlone() Config {
	c.Listen, c.AppsListen = "", cmp.Or(c.AppsListen, ":8000")
	return c
}

// ReservedHosts returns the hosts of the API.
func (c Config) ReservedHosts() (hosts []string) {
	if u, err := url.Parse(c.BaseURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, strings.ToLower(u.Hostname()))
	}
	for _, domain := range append([]string{c.Domain}, c.ACMEDomains...) {
		if domain != "" {
			hosts = append(hosts, strings.ToLower(domain))
		}
	}
	return hosts
}

// Proxies returns the trusted proxies. [Load] has checked them.
func (c Config) Proxies() (proxies serve.Proxies) {
	proxies, _ = serve.ParseProxies(c.TrustedProxies)
	return proxies
}
