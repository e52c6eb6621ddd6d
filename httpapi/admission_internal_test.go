package httpapi

import (
	"testing"
	"testing/synctest"
	"time"
)

// After a refusal fewer deliveries may wait, until none was refused for a while.
func TestAdmissionOfACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const waiting = 1000
		a := newAdmission(1, waiting)
		turn := make(chan struct{}) // one is received by each delivery that is accepted
		accept := func() {
			leave, err := a.enter(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			<-turn
			leave()
		}
		crowd := func() (accepted int) {
			for ; a.check() == nil; accepted++ {
				go accept()
				synctest.Wait()
			}
			if _, err := a.enter(t.Context()); err == nil {
				t.Error("it had room although it was full")
			}
			for range accepted {
				turn <- struct{}{}
			}
			synctest.Wait()
			return accepted
		}
		if got := crowd(); got != 1+waiting {
			t.Errorf("%d were accepted of the first crowd, want %d", got, 1+waiting)
		}
		time.Sleep(turnPatience - 1)
		if got := crowd(); got != 1+crowdWaiting {
			t.Errorf("%d were accepted of the next, want %d", got, 1+crowdWaiting)
		}
		time.Sleep(turnPatience)
		if got := crowd(); got != 1+waiting {
			t.Errorf("%d were accepted of one that came later, want %d", got, 1+waiting)
		}
	})
}
