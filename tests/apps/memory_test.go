package apps

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// leaks is an app that allocates memory without end, in one of two ways, and logs
// how many MiB it has.
const leaks = `
	const life = String(Math.random())
	const kept = []
	const ways = {
		'/heap': () => kept.push(Array.from({ length: 1e6 }, (_, i) => ({ i }))),
		'/buffers': () => kept.push(Buffer.alloc(32 << 20, 1))
	}
	require('http').createServer((req, res) => {
		const way = ways[req.url]
		res.end(life)
		if (way) setInterval(() => { way(); console.log('rss', process.memoryUsage().rss >> 20) }, 10)
	}).listen(process.env.PORT)`

// An app that uses up its memory is ended and started again, without an effect on
// other apps.
func TestMemoryLeak(t *testing.T) {
	t.Parallel()
	a, neighbour := create(t, shared, "leaks"), create(t, shared, "neighbour")
	a.deploy(script(leaks))
	neighbour.deploy(script(steady))
	life := neighbour.get("/").body

	ctx, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	asked := 0
	watch.Go(func() {
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			<-again.C
			asked++
			neighbour.answers(life)
			neighbour.running()
		}
	})
	for _, way := range []string{"/heap", "/buffers"} {
		before := a.get(way).body
		until(t, "the app to be started again after "+way, func() bool {
			got := a.get("/")
			return got.status == http.StatusOK && got.body != before
		})
	}
	stop()
	watch.Wait()
	if asked == 0 {
		t.Error("there was no request to the other app")
	}

	log := a.call(t.Context(), http.MethodGet, "logs", nil).body
	if n := strings.Count(log, "it starts again in"); n != 2 {
		t.Errorf("the log has %d restarts: %s", n, log)
	}
	var peak []int
	for _, m := range regexp.MustCompile(`"rss (\d+)"`).FindAllStringSubmatch(log, -1) {
		mib, _ := strconv.Atoi(m[1]) // digits
		peak = append(peak, mib)
	}
	// A process may have 1 GiB of data; code and shared memory are added to that.
	if len(peak) == 0 || slices.Max(peak) < 256 || slices.Max(peak) > 1200 {
		t.Errorf("the app had %v MiB", peak)
	}
}
