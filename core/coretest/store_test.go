package coretest_test

import (
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core/coretest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	coretest.TestStore(t, coretest.Harness{
		New: func(_ *testing.T, now func() time.Time) coretest.Store { return coretest.NewMemory(now, 50) },
	})
}
