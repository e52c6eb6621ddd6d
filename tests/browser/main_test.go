package browser

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/tests/internal/built"
)

// program is the built webhooks, made once by TestMain.
var program string //nolint:gochecknoglobals // set once before any test

// patience is how long something may take that must happen. Only what hangs
// takes so long, however busy the machine is.
const patience = 5 * time.Minute

func TestMain(m *testing.M) { os.Exit(leftovers.Run(tests{m})) }

// tests are the tests of this package with what goes before them.
type tests struct{ *testing.M }

func (ts tests) Run() int {
	dir, err := os.MkdirTemp("", "program-")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // what is left is reported
		program, err = built.Program(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return ts.M.Run()
}
