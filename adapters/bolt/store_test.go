package bolt_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core/coretest"
)

// opened is a Store with the options to reopen it.
type opened struct {
	*bolt.Store
	o bolt.Options
}

func open(t *testing.T, o bolt.Options) opened {
	t.Helper()
	s := bolt.New(o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return opened{s, o}
}

func TestStore(t *testing.T) {
	t.Parallel()
	coretest.TestStore(t, coretest.Harness{
		New: func(t *testing.T, now func() time.Time) coretest.Store {
			return open(t, bolt.Options{Path: filepath.Join(t.TempDir(), "store.db"), Now: now, MaxChanges: 50})
		},
		Restart: func(t *testing.T, s coretest.Store) coretest.Store {
			before := s.(opened)
			if err := before.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			return open(t, before.o)
		},
		Clean: func(t *testing.T, s coretest.Store) error { return s.(opened).Clean(t.Context()) },
	})
}
