package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	benchUser = "bench"
	password  = "a password of the benchmark"
)

// server is a contender that takes deliveries.
type server struct {
	*process
	address  string // host:port
	path     string // of deliveries
	secret   string
	extra    []*process // that it needs
	platform string     // of webhooks: the URL of the platform's API
	apps     string     // of webhooks: host:port of the router
	profiles string     // of a contender of the feed: the URL that pathHeap is below
}

func (s *server) stop() {
	s.process.stop()
	for _, p := range s.extra {
		p.stop()
	}
}

// webhooks starts the program on a data folder, and makes a user with a
// webhook secret if there is none yet.
func (s *suite) webhooks(ctx context.Context, data string, flags ...string) (*server, error) {
	args := append([]string{
		"serve", "--data", data, "--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0", "--apps-listen", "127.0.0.1:0",
		"--github-url", "http://127.0.0.1:1", "--travis-url", "http://127.0.0.1:1", "--log-level", "error",
		"--max-connections", "60000",
	}, flags...)
	p, err := s.start(ctx, s.program, args...)
	if err != nil {
		return nil, err
	}
	srv := &server{process: p}
	profiled := slices.Contains(flags, flagPprof)
	for srv.address == "" || srv.platform == "" || srv.apps == "" || profiled && srv.profiles == "" {
		line, err := p.line(ctx, "")
		if err != nil {
			p.stop()
			return nil, err
		}
		switch name, value, _ := strings.Cut(line, " "); name {
		case "webhooks":
			srv.address = strings.TrimPrefix(strings.TrimSpace(value), "http://")
		case "platform":
			srv.platform = strings.TrimSpace(value)
		case "apps":
			srv.apps = "127.0.0.1" + value[strings.LastIndexByte(value, ':'):]
		case "pprof":
			srv.profiles = strings.TrimSuffix(strings.TrimSpace(value), pathProfiles)
		}
	}
	srv.path = "/1/deploy?user=" + benchUser
	secret := filepath.Join(data, "bench-secret")
	if text, err := os.ReadFile(secret); err == nil { //nolint:gosec // of our own making
		srv.secret = string(text)
		return srv, nil
	}
	add := exec.CommandContext(ctx, s.program, "users", "add", benchUser, "--new-password-file", "-", "--data", data) //nolint:gosec // the program to be measured
	add.Stdin = strings.NewReader(password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		srv.stop()
		return nil, fmt.Errorf("adding the user: %w: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, s.program, "secrets", "add", benchUser, "bench", "--data", data).Output() //nolint:gosec // the program to be measured
	if err != nil {
		srv.stop()
		return nil, fmt.Errorf("adding the webhook secret: %w", err)
	}
	srv.secret = strings.TrimSpace(string(out))
	return srv, os.WriteFile(secret, []byte(srv.secret), 0o600) //nolint:gosec // in a folder of our own
}

// flagPprof has the address of profiles.
const flagPprof = "--pprof-addr"

// profiled starts the program with its embedded store, so that it says how much memory
// it uses.
func (s *suite) profiled(ctx context.Context) (*server, error) {
	data, err := s.folder()
	if err != nil {
		return nil, err
	}
	return s.webhooks(ctx, data, flagPprof, "127.0.0.1:0")
}

// redis starts a Redis server that writes its log as fsync says.
func (s *suite) redis(ctx context.Context, fsync string) (*process, string, error) {
	dir, err := os.MkdirTemp(s.dir, "redis-")
	if err != nil {
		return nil, "", err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := s.start(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir,
		"--appendonly", "yes", "--appendfsync", fsync, "--save", "", "--maxmemory-policy", "noeviction")
	if err != nil {
		return nil, "", err
	}
	return p, address, waitFor(ctx, address)
}

// webhooksOnRedis starts the program with a Redis of its own.
func (s *suite) webhooksOnRedis(ctx context.Context, fsync string) (*server, error) {
	redis, address, err := s.redis(ctx, fsync)
	if err != nil {
		return nil, err
	}
	data, err := s.folder()
	if err != nil {
		return nil, err
	}
	srv, err := s.webhooks(ctx, data, "--redis", address)
	if err != nil {
		redis.stop()
		return nil, err
	}
	srv.extra = append(srv.extra, redis)
	return srv, nil
}

// adnanh starts adnanh/webhook with a hook that checks the signature and runs
// a command that does nothing. It stores nothing.
func (s *suite) adnanh(ctx context.Context) (*server, error) {
	program := os.Getenv("BENCH_WEBHOOK")
	if program == "" {
		program = "/usr/bin/webhook" // Debian's package
	}
	secret := randomHex()
	hooks := []map[string]any{{
		"id": "bench", "execute-command": "/bin/true", "response-message": "ok",
		"trigger-rule": map[string]any{"match": map[string]any{
			"type": "payload-hmac-sha256", "secret": secret,
			"parameter": map[string]string{"source": "header", "name": "X-Hub-Signature-256"},
		}},
		"trigger-rule-mismatch-http-response-code": http.StatusUnauthorized,
	}}
	text, err := json.Marshal(hooks)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "hooks-"+secret[:8]+".json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address)
	p, err := s.start(ctx, program, "-hooks", file, "-ip", host, "-port", port)
	if err != nil {
		return nil, err
	}
	return &server{process: p, address: address, path: "/hooks/bench", secret: secret}, waitFor(ctx, address)
}

// floorOnRedis starts the floor of Redis with a Redis of its own.
func (s *suite) floorOnRedis(ctx context.Context, fsync string) (*server, error) {
	redis, address, err := s.redis(ctx, fsync)
	if err != nil {
		return nil, err
	}
	srv, err := s.floor(ctx, floorRedis, address)
	if err != nil {
		redis.stop()
		return nil, err
	}
	srv.extra = append(srv.extra, redis)
	return srv, nil
}

// floor starts one of the floors, which are this program.
func (s *suite) floor(ctx context.Context, name ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := s.start(ctx, self, append([]string{"floor"}, name...)...)
	if err != nil {
		return nil, err
	}
	address, err := p.line(ctx, "listens ")
	if err != nil {
		p.stop()
		return nil, err
	}
	return &server{process: p, address: address, path: "/", secret: floorSecret, profiles: "http://" + address}, nil
}

// folder returns a fresh folder for a contender's data.
func (s *suite) folder() (string, error) {
	dir, err := os.MkdirTemp(s.dir, "data-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711) //nolint:gosec // the apps' own users must reach their folders
}

func randomHex() string {
	var random [16]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

// freeAddress returns an address of loopback with an unused port.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close() //nolint:errcheck // nothing was written
	return listener.Addr().String(), nil
}

// waitFor waits until a server listens on an address.
func waitFor(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", address, err)
		}
	}
}
