package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// change is what differs between one version of an app and the next.
type change struct {
	name       string
	packages   bool // the app has dependencies
	everything bool // so does its lockfile
}

// versioned is the source of an app that answers with its version.
const versioned = `require('http').createServer((req, res) => res.end(%q)).listen(process.env.PORT, '127.0.0.1');
`

// dependency is what an app with dependencies needs; it has some sixty of its own.
const dependency = "express@4.21.2"

// measureDeployment compares the time from the command until the new version
// answers with that of a script that does by hand what has to be done: copy the
// folder, npm ci, start the new version.
func measureDeployment(ctx context.Context, s *suite) ([]table, error) {
	var tables []table
	for _, c := range []change{
		{name: "no dependencies"},
		{name: "dependencies that did not change", packages: true},
		{name: "a changed lockfile", packages: true, everything: true},
	} {
		t, err := s.deployment(ctx, c)
		if err != nil {
			return tables, fmt.Errorf("%s: %w", c.name, err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (s *suite) deployment(ctx context.Context, c change) (table, error) {
	t := table{area: "deployment", title: "From the command until the new version answers: " + c.name, unit: "ms", rows: []row{
		{contender: "by hand", note: "cp, npm ci if there are dependencies, node"}, {contender: "webhooks deploy"},
	}}
	dir := filepath.Join(s.dir, "deployed")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return t, err
	}
	data, err := s.folder()
	if err != nil {
		return t, err
	}
	srv, err := s.webhooks(ctx, data, "--min-ready-time", "10ms")
	if err != nil {
		return t, err
	}
	defer srv.stop()
	for round := range s.rounds + 1 {
		version := fmt.Sprintf("version %d", round)
		if err := writeVersion(ctx, dir, c, round, version); err != nil {
			return t, err
		}
		hand, err := s.byHand(ctx, dir, c, version)
		if err != nil {
			return t, err
		}
		took, err := s.byProgram(ctx, srv, dir, version)
		if err != nil {
			return t, err
		}
		if round > 0 { // the first one also makes the app and fills the caches
			t.rows[0].figures = append(t.rows[0].figures, hand)
			t.rows[1].figures = append(t.rows[1].figures, took)
		}
	}
	return t, nil
}

// writeVersion writes the next version of the app.
func writeVersion(ctx context.Context, dir string, c change, round int, version string) error {
	if err := os.WriteFile(filepath.Join(dir, "server.js"), fmt.Appendf(nil, versioned, version), 0o600); err != nil {
		return err
	}
	if round > 0 && !c.everything {
		return nil
	}
	text := fmt.Sprintf(`{"name":"deployed","version":"1.0.%d","scripts":{"start":"node server.js"}}`, round)
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(text), 0o600); err != nil {
		return err
	}
	if !c.packages {
		return nil
	}
	return command(ctx, dir, "npm", "install", "--package-lock-only", "--no-audit", "--no-fund", dependency)
}

// byHand does what a script without a platform does, and returns its time in ms.
func (s *suite) byHand(ctx context.Context, dir string, c change, version string) (float64, error) {
	begin := time.Now()
	copied, err := s.folder()
	if err != nil {
		return 0, err
	}
	if err := command(ctx, dir, "cp", "-r", ".", copied); err != nil {
		return 0, err
	}
	if c.packages {
		if err := command(ctx, copied, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
			return 0, err
		}
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return 0, err
	}
	_, port, _ := strings.Cut(address, ":")
	app, err := s.start(ctx, "env", "PORT="+port, "NODE_ENV=production", "node", filepath.Join(copied, "server.js"))
	if err != nil {
		return 0, err
	}
	defer app.stop()
	return awaitVersion(ctx, address, "app", version, begin)
}

// byProgram deploys a folder by the program, and returns the time in ms.
func (s *suite) byProgram(ctx context.Context, srv *server, dir, version string) (float64, error) {
	begin := time.Now()
	cmd := exec.CommandContext(ctx, s.program, "deploy", dir, "--to", srv.platform) //nolint:gosec // the program to be measured
	cmd.Env = append(os.Environ(), "WEBHOOKS_USER="+benchUser, "WEBHOOKS_PASSWORD="+password)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	took, err := awaitVersion(ctx, srv.apps, "deployed.localhost", version, begin)
	if ended := cmd.Wait(); ended != nil {
		return 0, fmt.Errorf("webhooks deploy: %w: %s", ended, out.String())
	}
	return took, err
}

// awaitVersion asks an app until it answers with a version, and returns how many ms
// that is after begin.
func awaitVersion(ctx context.Context, address, host, version string, begin time.Time) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", http.NoBody)
		if err != nil {
			return 0, err
		}
		req.Host = host
		if response, err := http.DefaultClient.Do(req); err == nil {
			body, err := io.ReadAll(response.Body)
			if err = errors.Join(err, response.Body.Close()); err == nil && string(body) == version {
				return float64(time.Since(begin).Microseconds()) / 1000, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("waiting for %s: %w", version, ctx.Err())
		}
	}
}

// command runs a command in a folder.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the commands of this file
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
