package builds

import (
	"context"
	_ "embed" // for staticServer
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nodejitsu/webhooks/core/atomicfile"
)

// staticServer serves a static site. It runs on all supported Node.js versions.
//
//go:embed static.js
var staticServer string

// serveStatic returns the command that serves a static site, and adds the folder of
// its program to the result's path.
func (g *building) serveStatic(ctx context.Context, r *Result) (string, error) {
	dir := filepath.Join(g.packages(), "static@server")
	program := filepath.Join(dir, "static.js")
	if text, err := os.ReadFile(program); err != nil || string(text) != staticServer { //nolint:gosec // written by the server
		if err := errors.Join(os.MkdirAll(dir, 0o755), atomicfile.Write(program, []byte(staticServer), 0o644)); err != nil { //nolint:gosec // apps run it
			return "", fmt.Errorf("builds: writing the static site server: %w", err)
		}
	}
	r.Path = append(r.Path, filepath.Join(dir, "bin")) // so that Sweep does not remove it
	own, err := version(ctx, g.tools.node)
	if err != nil {
		return "", fmt.Errorf("builds: asking node for its version: %w", err)
	}
	r.Node, r.NodeVersion = own.path, own.version.String()
	run := "exec node " + quoted(program) + " " + quoted(filepath.Join(g.Dir, r.Static))
	if r.Fallback != "" {
		run += " " + quoted(r.Fallback)
	}
	return run, nil
}
