// Package built builds the program that tests drive from outside.
package built

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Variable names the variable of the environment that holds the path of a
// program that was built before. tools/test.sh builds one for all packages.
const Variable = "WEBHOOKS_TEST_PROGRAM"

// Program returns the path of the program, with the race detector in it. It is
// built into dir unless [Variable] names one.
func Program(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv(Variable); path != "" {
		return path, nil
	}
	path := filepath.Join(dir, "webhooks")
	return path, build(ctx, path)
}

// Version builds the program as another version, as an upgrade has.
func Version(ctx context.Context, path, version string) error {
	return build(ctx, path, "-ldflags", "-X main.version="+version)
}

func build(ctx context.Context, path string, flags ...string) error {
	args := append([]string{"build", "-race", "-tags", "nomsgpack", "-o", path}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/nodejitsu/webhooks/tools/webhooks")...) //nolint:gosec // a path of the test's own
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}
