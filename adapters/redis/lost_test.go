package redis_test

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
)

// through returns a Store that connects to Redis by a proxy, and one that connects
// directly.
func through(t *testing.T) (server *redistest.Server, proxy *redistest.Proxy, s, direct *redis.Store, j *journal) {
	t.Helper()
	server, j = redistest.Start(t, "--appendonly", "no"), newJournal()
	warm(t, server)
	proxy = redistest.StartProxy(t, server.Addr)
	s = open(t, redis.Options{Addrs: []string{proxy.Addr}, Logger: j.logger()})
	return server, proxy, s, open(t, redis.Options{Addrs: []string{server.Addr}}), j
}

// warm loads the scripts, so that the first lost answer is not NOSCRIPT.
func warm(t *testing.T, server *redistest.Server) {
	t.Helper()
	use(t, open(t, redis.Options{Addrs: []string{server.Addr}, Prefix: "warm"}))
}

// oddLease is a lease that is known by its microseconds.
const oddLease = 61_234_567 * time.Microsecond

// If an answer is lost, the repeated call, by the Store or by its caller, finds the
// result of the first one and changes nothing.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	type outcome struct {
		change core.Change
		err    error
	}
	calls := map[string]func(t *testing.T, s, direct *redis.Store) (request string, changes int, call func() outcome){
		"accept": func(t *testing.T, s, _ *redis.Store) (string, int, func() outcome) {
			a := delivery(newEntry("u"))
			return a.Entry.ID, 1, func() outcome {
				c, repeat, err := s.Accept(t.Context(), a)
				if repeat {
					t.Error("it is reported as a repeat of itself")
				}
				return outcome{c, err}
			}
		},
		"save": func(t *testing.T, s, direct *redis.Store) (string, int, func() outcome) {
			c := accept(t, direct, newEntry("u"))
			e := claim(t, direct).Change.Entry
			e.Status, e.Notes = core.StatusOK, []string{"the same each time"}
			return c.Entry.ID, 3, func() outcome {
				c, err := s.Finish(t.Context(), e, 0)
				return outcome{c, err}
			}
		},
		"claim": func(t *testing.T, s, direct *redis.Store) (string, int, func() outcome) {
			accept(t, direct, newEntry("u"))
			accept(t, direct, newEntry("u"))
			return "61234567", 3, func() outcome {
				c, found, _, err := s.Claim(t.Context(), oddLease)
				if err == nil && (!found || c.Attempt != 1) {
					t.Errorf("found %t, attempt %d", found, c.Attempt)
				}
				return outcome{c.Change, err}
			}
		},
	}
	for name, prepare := range calls {
		for how, lose := range map[string]func(p *redistest.Proxy, request string) *redistest.Loss{
			"connection broken": func(p *redistest.Proxy, request string) *redistest.Loss { return p.Lose(request, 1) },
			"silence":           func(p *redistest.Proxy, request string) *redistest.Loss { return p.Swallow(request, 1) },
			"silence for long":  func(p *redistest.Proxy, request string) *redistest.Loss { return p.Swallow(request, 100) },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				_, proxy, s, direct, _ := through(t)
				request, want, call := prepare(t, s, direct)
				loss := lose(proxy, request)
				got := call()
				<-loss.Lost
				if how == "silence for long" {
					if got.err == nil {
						t.Fatal("no error although the answer was lost")
					}
					// Two of 0.9 s, and one that the limit of 2 s ends.
					if tries := len(loss.Lost) + 1; tries > 3 {
						t.Errorf("it was tried %d times", tries)
					}
					proxy.Mend()
					got = call()
				}
				if got.err != nil {
					t.Fatal(got.err)
				}
				all := changes(t, direct, "u", core.Seq{})
				if len(all) != want {
					t.Fatalf("there are %d changes, want %d", len(all), want)
				}
				if c := all[want-1]; c.Seq != got.change.Seq || c.Entry.Revision != got.change.Entry.Revision ||
					c.Entry.ID != got.change.Entry.ID || !reflect.DeepEqual(c.Entry.Notes, got.change.Entry.Notes) {
					t.Errorf("got %+v\nwant %+v", got.change, c)
				}
			})
		}
	}
}

// If the answer to a delivery was lost and its sender sends it again, as another
// request, it is recognized as a repeat.
func TestSentAgain(t *testing.T) {
	t.Parallel()
	_, proxy, s, direct, _ := through(t)
	first := delivery(newEntry("u"))
	proxy.Swallow(first.Entry.ID, 100)
	if _, _, err := s.Accept(t.Context(), first); err == nil {
		t.Fatal("no error although the answer was lost")
	}
	proxy.Mend()
	again := first
	again.Entry = newEntry("u")
	c, repeat, err := s.Accept(t.Context(), again)
	if err != nil || !repeat || c.Entry.ID != first.Entry.ID {
		t.Errorf("got %s, repeat %t, %v", c.Entry.ID, repeat, err)
	}
	if all := changes(t, direct, "u", core.Seq{}); len(all) != 1 {
		t.Errorf("there are %d changes", len(all))
	}
}

// A claim whose answer came too late is not returned again if the entry was claimed by
// another process meanwhile.
func TestClaimTakenMeanwhile(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	warm(t, server)
	proxy := redistest.StartProxy(t, server.Addr)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := open(t, redis.Options{Addrs: []string{proxy.Addr}, Now: clock})
	direct := open(t, redis.Options{Addrs: []string{server.Addr}, Now: clock})
	id := accept(t, direct, newEntry("u")).Entry.ID
	proxy.Swallow("61234567", 100)
	if _, _, _, err := s.Claim(t.Context(), oddLease); err == nil {
		t.Fatal("no error although the answer was lost")
	}
	mu.Lock()
	now = now.Add(2 * oddLease)
	mu.Unlock()
	if c := claim(t, direct); c.Change.Entry.ID != id || c.Attempt != 2 || !c.Lost {
		t.Errorf("got %+v", c)
	}
	proxy.Mend()
	if c, found, _, err := s.Claim(t.Context(), oddLease); found || err != nil {
		t.Errorf("got %+v, %v", c, err)
	}
}

// A call ends by itself if Redis does not answer, and has no effect later, when Redis
// continues.
func TestSilent(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(ctx context.Context, s *redis.Store, held, e core.Entry) error{
		"accept": func(ctx context.Context, s *redis.Store, _, e core.Entry) error {
			_, _, err := s.Accept(ctx, delivery(e))
			return err
		},
		"save": func(ctx context.Context, s *redis.Store, held, _ core.Entry) error {
			_, err := s.Update(ctx, held, 0)
			return err
		},
		"claim": func(ctx context.Context, s *redis.Store, _, _ core.Entry) error {
			_, _, _, err := s.Claim(ctx, time.Minute)
			return err
		},
		"find": func(ctx context.Context, s *redis.Store, _, e core.Entry) error {
			_, err := s.Find(ctx, e.ID)
			return err
		},
		"payload": func(ctx context.Context, s *redis.Store, _, e core.Entry) error {
			_, err := s.Payload(ctx, e.ID)
			return err
		},
		"page": func(ctx context.Context, s *redis.Store, _, _ core.Entry) error {
			_, _, err := s.Entries(ctx, "u", "", 0, 10)
			return err
		},
		"changes": func(ctx context.Context, s *redis.Store, _, _ core.Entry) error {
			_, err := s.Changes(ctx, "u", core.Seq{}, 10)
			return err
		},
		"check": func(ctx context.Context, s *redis.Store, _, _ core.Entry) error { return s.Check(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, s, j := started(t, "--appendonly", "no")
			warm(t, server)
			held := accept(t, s, newEntry("u"))
			e := newEntry("u")
			server.Pause()
			if err := call(t.Context(), s, held.Entry, e); err == nil {
				t.Error("no error although the answer was lost")
			}
			j.until(1, broken)
			server.Resume()
			j.until(1, recovered)
			if all := changes(t, s, "u", core.Seq{}); len(all) != 1 {
				t.Errorf("there are %d changes, want the one from before", len(all))
			}
			if c := accept(t, s, e); c.Entry.Revision != 1 {
				t.Errorf("got revision %d", c.Entry.Revision)
			}
			if c := claim(t, s); c.Change.Entry.ID != held.Entry.ID || c.Attempt != 1 {
				t.Errorf("got %+v", c)
			}
			j.want(t, 1, broken)
			j.want(t, 1, recovered)
		})
	}
}

// Calls succeed on a slow network.
func TestSlow(t *testing.T) {
	t.Parallel()
	_, proxy, s, _, j := through(t)
	proxy.Delay(200 * time.Millisecond)
	use(t, s)
	j.want(t, 0, broken)
}

// An outage under load is logged once when it begins and once when it ends.
func TestOutageIsLoggedOnce(t *testing.T) {
	t.Parallel()
	_, proxy, s, _, j := through(t)
	for outage := range 2 {
		stop := make(chan struct{})
		failed := make(chan struct{}, 1000)
		var calling sync.WaitGroup
		for range 20 {
			calling.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					_, _, accepting := s.Accept(t.Context(), delivery(newEntry("u")))
					if checking := s.Check(t.Context()); accepting != nil && checking != nil {
						select {
						case failed <- struct{}{}:
						default:
						}
					}
				}
			})
		}
		proxy.Cut()
		j.until(outage+1, broken)
		for range 40 {
			<-failed
		}
		proxy.Mend()
		j.until(outage+1, recovered)
		close(stop)
		calling.Wait()
		j.want(t, outage+1, broken)
		j.want(t, outage+1, recovered)
	}
	j.want(t, 0, lost)
}

// tardy is a context whose deadline has passed, but whose timer has not been served yet.
type tardy struct{ context.Context }

func (tardy) Deadline() (time.Time, bool) { return time.Now(), true }

// A caller that does not wait is not an outage.
func TestImpatient(t *testing.T) {
	t.Parallel()
	_, proxy, s, _, j := through(t)
	proxy.Delay(300 * time.Millisecond)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := s.Check(ctx); err == nil {
			t.Error("it waited")
		}
		cancel()
	}
	if err := s.Check(tardy{t.Context()}); err == nil {
		t.Error("it waited after the deadline")
	}
	proxy.Mend()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	j.want(t, 0, broken)
}

// If the subscription is closed repeatedly, each watcher still sees each change.
func TestMessagesLost(t *testing.T) {
	t.Parallel()
	const users, watchers, rounds = 50, 40, 4
	server := redistest.Start(t, "--appendonly", "no")
	s := open(t, redis.Options{Addrs: []string{server.Addr}})
	var watching sync.WaitGroup
	ready := make(chan struct{}, users*watchers)
	for user := range users {
		for range watchers {
			watching.Go(func() {
				ready <- struct{}{}
				watch(t, s, name(user), rounds)
			})
		}
	}
	for range users * watchers {
		<-ready
	}
	// 2,000 of them, and one subscription of each channel.
	if got := server.Do("CLIENT", "LIST", "TYPE", "pubsub"); len(lines(got)) != 1 {
		t.Errorf("there are %d subscribers:\n%s", len(lines(got)), got)
	}
	if got := lines(server.Do("PUBSUB", "NUMSUB", "{webhooks}:changes")); len(got) != 2 || got[1] != "1" {
		t.Errorf("got %q", got)
	}
	other := open(t, redis.Options{Addrs: []string{server.Addr}})
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	defer client.Close() //nolint:errcheck // of a test
	var killing sync.WaitGroup
	stop := make(chan struct{})
	killing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
				t.Error(err)
			}
		}
	})
	for range rounds {
		for user := range users {
			accept(t, other, newEntry(name(user)))
		}
	}
	close(stop)
	killing.Wait()
	watching.Wait()
}
