package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// appSource is an app that answers with 1 KB.
const appSource = `const http = require('http'); const body = Buffer.alloc(1024, 'x');
http.createServer((req, res) => { res.setHeader('Content-Length', 1024); res.end(body); }).listen(process.env.PORT, '127.0.0.1');
`

// route is a way to the app.
type route struct {
	name, address, host string
	server              interface{ cost() (cost, error) }
}

// measureRouter deploys an app and compares the ways to it: directly, through
// nginx, through Caddy if BENCH_CADDY names it, and through the router.
func measureRouter(ctx context.Context, s *suite) ([]table, error) {
	srv, err := s.onDisk(ctx)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	if err := s.deployApp(ctx, srv); err != nil {
		return nil, err
	}
	// The same app once more, outside of the platform, for the others.
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(address, ":")
	source := filepath.Join(s.dir, "app.js")
	if err := os.WriteFile(source, []byte(appSource), 0o600); err != nil {
		return nil, err
	}
	app, err := s.start(ctx, "env", "PORT="+port, "NODE_ENV=production", "node", source)
	if err != nil {
		return nil, err
	}
	defer app.stop()
	if err := waitFor(ctx, address); err != nil {
		return nil, err
	}
	routes := []route{{"directly", address, "app.localhost", app}, {"webhooks", srv.apps, "bench-app.localhost", srv}}
	nginx, at, err := s.nginx(ctx, address)
	if err != nil {
		return nil, err
	}
	defer nginx.stop()
	routes = append(routes, route{"nginx", at, "app.localhost", nginx})
	if program := os.Getenv("BENCH_CADDY"); program != "" {
		caddy, at, err := s.caddy(ctx, program, address)
		if err != nil {
			return nil, err
		}
		defer caddy.stop()
		routes = append(routes, route{"Caddy", at, "app.localhost", caddy})
	}
	t := table{area: "router", title: "Answers of 1 KB from a Node.js app, 64 connections", unit: "a second"}
	for _, r := range routes {
		t.rows = append(t.rows, row{contender: r.name})
	}
	for range s.rounds {
		for i, r := range routes {
			l := load{
				address: r.address, connections: connections, period: s.period,
				warm:    s.period / 2, // Node.js compiles what runs often
				request: func(buf *bytes.Buffer) { buf.WriteString("GET / HTTP/1.1\r\nHost: " + r.host + "\r\n\r\n") },
				want:    func(status int) bool { return status == 200 },
			}
			before, err := r.server.cost()
			if err != nil {
				return nil, err
			}
			a, err := l.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			after, err := r.server.cost()
			if err != nil {
				return nil, err
			}
			t.rows[i].cpu = time.Duration(float64(after.cpu-before.cpu) / float64(a.ok) * l.period.Seconds() / (l.period + l.warm).Seconds())
			t.rows[i].peak = max(t.rows[i].peak, after.peak)
			t.rows[i].figures = append(t.rows[i].figures, a.rate())
			t.rows[i].note = joinNotes(fmt.Sprintf("p99 %.1f ms", float64(a.quantile(0.99).Microseconds())/1000), badNote(a))
		}
	}
	return []table{t}, nil
}

// deployApp deploys the app to the platform of a server.
func (s *suite) deployApp(ctx context.Context, srv *server) error {
	dir := filepath.Join(s.dir, "bench-app")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"package.json": `{"name":"bench-app","version":"1.0.0","scripts":{"start":"node server.js"}}`,
		"server.js":    appSource,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, s.program, "deploy", dir, "--to", srv.platform) //nolint:gosec // the program to be measured
	cmd.Env = append(os.Environ(), "WEBHOOKS_USER="+benchUser, "WEBHOOKS_PASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("deploying the app: %w: %s", err, out)
	}
	return nil
}

func (s *suite) nginx(ctx context.Context, app string) (*process, string, error) {
	at, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	config := filepath.Join(s.dir, "nginx.conf")
	text := fmt.Sprintf(`worker_processes auto; daemon off; pid %[1]s/nginx.pid; error_log %[1]s/nginx-error.log;
events { worker_connections 4096; }
http {
	access_log off; client_body_temp_path %[1]s/nginx-body; proxy_temp_path %[1]s/nginx-proxy;
	fastcgi_temp_path %[1]s/nginx-fastcgi; uwsgi_temp_path %[1]s/nginx-uwsgi; scgi_temp_path %[1]s/nginx-scgi;
	upstream app { server %[2]s; keepalive 128; }
	server {
		listen %[3]s; keepalive_requests 10000000;
		location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
	}
}
`, s.dir, app, at)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	p, err := s.start(ctx, "nginx", "-c", config)
	if err != nil {
		return nil, "", err
	}
	return p, at, waitFor(ctx, at)
}

func (s *suite) caddy(ctx context.Context, program, app string) (*process, string, error) {
	at, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	config := filepath.Join(s.dir, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tstorage file_system %s/caddy\n}\nhttp://%s {\n\treverse_proxy %s\n}\nhttp://app.localhost:%s {\n\tbind 127.0.0.1\n\treverse_proxy %s\n}\n",
		s.dir, at, app, at[strings.LastIndexByte(at, ':')+1:], app)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	p, err := s.start(ctx, program, "run", "--config", config, "--adapter", "caddyfile")
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return p, at, waitFor(ctx, at)
}
