package apps

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/tests/internal/built"
)

// What TestMain makes once, before any test.
var (
	program  string  //nolint:gochecknoglobals // the built webhooks
	registry string  //nolint:gochecknoglobals // URL of a registry with the packages of npm's cache
	shared   *server //nolint:gochecknoglobals // for tests that do not disturb the platform itself
)

func TestMain(m *testing.M) { os.Exit(leftovers.Run(tests{m})) }

// tests are the tests of this package with what goes before and after all of
// them.
type tests struct{ *testing.M }

func (ts tests) Run() int {
	code, err := run(ts.M)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func run(m *testing.M) (code int, err error) {
	if err := manyAtOnce(); err != nil {
		return 1, err
	}
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if program, err = built.Program(ctx, dir); err != nil {
		return 1, err
	}
	end, err := serveRegistry(ctx)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if shared, err = serve(ctx); err != nil {
		return 1, err
	}
	code = m.Run()
	err = shared.remove()
	if code != 0 || err != nil {
		fmt.Fprintf(os.Stderr, "log of the shared platform:\n%s", shared.stderr())
	}
	return code, err
}

// manyAtOnce lets more tests run at a time than there are processors, unless
// the command line sets the number: tests wait far more than they work.
func manyAtOnce() error {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(8*runtime.GOMAXPROCS(0)))
}

// serveRegistry starts the registry. end stops it.
func serveRegistry(ctx context.Context) (end func() error, err error) {
	npm, err := exec.LookPath("npm")
	if err == nil {
		npm, err = filepath.EvalSymlinks(npm)
	}
	if err != nil {
		return nil, fmt.Errorf("finding npm: %w", err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "registry.js"), filepath.Dir(filepath.Dir(npm)))
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the registry: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("starting the registry: %w, %w\n%s", err, cmd.Wait(), stderr.Bytes())
	}
	registry = strings.TrimSpace(line)
	return func() error { return errors.Join(in.Close(), cmd.Wait()) }, nil
}
