package bolt

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// If too many or too large deliveries wait for the disk, more are refused at once.
// Those that wait are accepted, and so are later ones.
func TestOverload(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"many":  {MaxWaiting: 3},
		"large": {MaxWaitingBytes: 27_000}, // three
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startedWithoutSync(t, o)
			accept := func(id string) error {
				e := core.Entry{ID: id, User: "u", Status: core.StatusPending, Steps: []core.Step{}}
				_, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Payload: make([]byte, 9000)})
				return err
			}
			if err := s.Admit(); err != nil {
				t.Error(err)
			}
			// The writer is busy, as it is with a slow disk.
			busy, free := make(chan struct{}), make(chan struct{})
			results := make(chan error, 4)
			go func() {
				results <- s.update(t.Context(), func(table) error {
					close(busy)
					<-free
					return nil
				})
			}()
			<-busy
			for i := range 3 {
				go func() { results <- accept(fmt.Sprint("waits", i)) }()
			}
			for s.Admit() == nil { // until all three wait
				runtime.Gosched()
			}
			if err := accept("refused"); !errors.Is(err, core.ErrOverloaded) {
				t.Errorf("got %v", err)
			}
			// Other writes are not refused: work has to be finished.
			finished := make(chan error, 1)
			go func() { finished <- s.update(t.Context(), put("x")) }()
			close(free)
			for range 4 {
				if err := <-results; err != nil {
					t.Error(err)
				}
			}
			if err := <-finished; err != nil {
				t.Error(err)
			}
			if err := accept("after"); err != nil {
				t.Errorf("the store does not recover: %v", err)
			}
			for id, want := range map[string]error{"waits0": nil, "waits1": nil, "waits2": nil, "after": nil, "refused": core.ErrNotFound} {
				if _, err := s.Find(t.Context(), id); !errors.Is(err, want) {
					t.Errorf("%s: got %v, want %v", id, err, want)
				}
			}
		})
	}
}
