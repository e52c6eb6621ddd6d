package deploy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// In whatever order pushes arrive, and however often, while whatever else is
// at work: each ends, and what was pushed last runs.
func TestShuffledDeliveries(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, seed))
		inWorld(t, func(w *world) {
			starting := rand.New(rand.NewPCG(seed, 1)) // of one start at a time
			w.platform.Started = func(string, string, string) {
				<-time.After(time.Duration(starting.IntN(300)) * time.Second)
			}
			w.start()
			commits := make([]string, 6) // as they were pushed
			for i := range commits {
				commits[i] = strings.Repeat(fmt.Sprintf("%x", i+10), 40)
				w.forge.Commit(w.repo, commits[i], map[string]string{"package.json": `{"name":"hello","version":"1.0.0"}`})
			}
			ids := map[string]bool{}
			order := random.Perm(len(commits))
			for _, n := range append(order, order[:random.IntN(len(order))]...) {
				push := w.push(commits[n])
				push.PushedAt = time.Unix(int64(1000*n), 0).UTC()
				ids[w.deliver(push, "X-Github-Delivery", commits[n])] = true
				<-time.After(time.Duration(random.IntN(200)) * time.Second)
			}
			<-time.After(time.Hour)
			if len(ids) != len(commits) {
				t.Errorf("seed %d: %d pushes made %d entries", seed, len(commits), len(ids))
			}
			for id := range ids {
				if e := w.settled(id); e.Status != core.StatusOK && e.Status != core.StatusSkipped {
					t.Errorf("seed %d: %s is %s: %+v", seed, e.Commit.ID, e.Status, e.Error)
				}
			}
			starts, newest := w.platform.Starts(), commits[len(commits)-1]
			if last := starts[len(starts)-1]; !strings.HasSuffix(last, newest[:12]) {
				t.Errorf("seed %d, order %v: %s runs, want that of %s; of %v", seed, order, last, newest, starts)
			}
			if n := w.platform.Overlaps(); n != 0 {
				t.Errorf("seed %d: %d starts overlap", seed, n)
			}
		})
	}
}
