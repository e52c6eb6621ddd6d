package redis_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// documented is a key in doc.go.
type documented struct {
	name  string
	is    *regexp.Regexp
	kind  string
	ttl   bool
	fixed bool // never removed
}

func documentation(t *testing.T) (all []documented) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^//\t(\S+(?: \S+)*) +(string|hash|zset|set|stream) +(.*)$`)
	for _, found := range row.FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[A-Z]+`).ReplaceAllString(strings.TrimSpace(found[1]), `.+`)
		if name == "u:.+" {
			name = "u:[^/]+"
		}
		all = append(all, documented{
			name: found[1], is: regexp.MustCompile("^" + name + "$"), kind: found[2],
			ttl: regexp.MustCompile(`\bTTL\b`).MatchString(found[3]), fixed: strings.HasPrefix(found[3], "for ever"),
		})
	}
	return all
}

// everything makes a key of each kind: a waiting entry, one that waits for later, one
// that is claimed with its app, and one that has ended.
func everything(t *testing.T, s *redis.Store, user string) (live []core.Entry) {
	t.Helper()
	accept(t, s, newEntry(user))
	ended := claim(t, s).Change.Entry
	ended.Status, ended.App = core.StatusOK, "renamed"
	if err := s.Outbox().Add(t.Context(), ended.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(t.Context(), ended, 0); err != nil {
		t.Fatal(err)
	}
	accept(t, s, newEntry(user))
	claimed := claim(t, s)
	if _, busy, err := s.ClaimApp(t.Context(), claimed, "app"); err != nil || busy {
		t.Fatalf("busy %t, %v", busy, err)
	}
	accept(t, s, newEntry(user))
	retried, err := s.Requeue(t.Context(), claim(t, s).Change.Entry, 1, deploy.Place{At: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return []core.Entry{claimed.Change.Entry, retried.Entry, accept(t, s, newEntry(user)).Entry}
}

// All keys are in doc.go, with their types and whether they expire.
func TestKeysAreDocumented(t *testing.T) {
	t.Parallel()
	server, s, _ := started(t)
	everything(t, s, "user")
	docs := documentation(t)
	seen := map[string]bool{}
	for _, key := range server.Keys() {
		name, ours := strings.CutPrefix(key, "{webhooks}:")
		i := slices.IndexFunc(docs, func(d documented) bool { return d.is.MatchString(name) })
		if !ours || i < 0 {
			t.Errorf("%s is not documented", key)
			continue
		}
		seen[docs[i].name] = true
		if kind := server.Do("TYPE", key); kind != docs[i].kind {
			t.Errorf("%s is a %s, not a %s", key, kind, docs[i].kind)
		}
		if ttl := server.Do("PTTL", key); (ttl != "-1") != docs[i].ttl {
			t.Errorf("the TTL of %s is %s ms", key, ttl)
		}
	}
	for _, d := range docs {
		if !seen[d.name] {
			t.Errorf("there is no key %s", d.name)
		}
	}
}

// After all lifetimes, only the keys that are never removed are left, and the store
// still works.
func TestOnlyPermanentKeysAreLeft(t *testing.T) {
	t.Parallel()
	const users, life = 3, 100 * time.Millisecond
	server := redistest.Start(t)
	s := open(t, redis.Options{
		Addrs: []string{server.Addr}, KeepEntries: life, KeepPayloads: life, KeepKeys: life, KeepChanges: life,
	})
	var newest core.Seq
	for user := range users {
		// Only what was claimed last is free of its claim by a save.
		for _, e := range everything(t, s, name(user)) {
			if e.Revision == 1 {
				e = claim(t, s).Change.Entry
			}
			e.Status = core.StatusError
			c, err := s.Finish(t.Context(), e, 0)
			if err != nil {
				t.Fatal(err)
			}
			newest = c.Seq
		}
	}
	var forEver []string
	for _, d := range documentation(t) {
		if d.fixed {
			forEver = append(forEver, "{webhooks}:"+d.name)
		}
	}
	slices.Sort(forEver)
	claims := regexp.MustCompile(`^\{webhooks\}:g:`) // theirs is the time of the lease
	for {
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		left := slices.DeleteFunc(sorted(server.Keys()), claims.MatchString)
		if slices.Equal(left, forEver) {
			break
		}
		if len(left) < len(forEver) {
			t.Fatalf("got %q, want %q", left, forEver)
		}
	}
	c := accept(t, s, newEntry(name(users-1)))
	if c.Seq.Compare(newest) <= 0 {
		t.Errorf("%s came after %s", c.Seq, newest)
	}
	if got := changes(t, s, name(users-1), core.Seq{}); len(got) != 1 {
		t.Errorf("got %d changes", len(got))
	}
}

// A reader that resumes after all changes of a user were removed gets ErrGone.
func TestGoneAfterSweep(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	long := open(t, redis.Options{Addrs: []string{server.Addr}})
	e := newEntry("u")
	e.Status = core.StatusIgnored
	c, _, err := long.Accept(t.Context(), deploy.Acceptance{Entry: e})
	if err != nil {
		t.Fatal(err)
	}
	last, err := long.Finish(t.Context(), c.Entry, 0)
	if err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(400 * 24 * time.Hour) }
	s := open(t, redis.Options{Addrs: []string{server.Addr}, Now: later})
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Changes(t.Context(), "u", last.Seq, 10); err != nil || len(all) != 0 {
		t.Errorf("a reader that had read all got %v, %v", all, err)
	}
	if _, err := s.Changes(t.Context(), "u", c.Seq, 10); !errors.Is(err, core.ErrGone) {
		t.Errorf("a reader that had not got %v", err)
	}
	if ttl, err := strconv.Atoi(server.Do("PTTL", "{webhooks}:m:u")); err != nil || ttl <= 0 {
		t.Errorf("the state of the user's feed is kept for %d, %v", ttl, err)
	}
	accept(t, s, newEntry("u"))
	if ttl := server.Do("PTTL", "{webhooks}:m:u"); ttl != "-1" {
		t.Errorf("the user has changes again, but expires in %s ms", ttl)
	}
}

// The oldest outcomes beyond the limit are removed, live entries are not.
func TestSweepPassesLive(t *testing.T) {
	t.Parallel()
	const live, ended, kept = 230, 40, 240
	server := redistest.Start(t)
	s := open(t, redis.Options{Addrs: []string{server.Addr}, MaxEntries: kept})
	var ids []string
	for i := range live + ended {
		e := newEntry("u")
		if i >= live {
			e.Status = core.StatusIgnored
		}
		if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, total, err := s.Entries(t.Context(), "u", "", 0, 1)
	if err != nil || total != kept {
		t.Errorf("%d are kept, %v; want %d", total, err, kept)
	}
	gone := ids[live : live+live+ended-kept]
	for _, id := range ids {
		_, err := s.Find(t.Context(), id)
		if want := slices.Contains(gone, id); errors.Is(err, core.ErrNotFound) != want {
			t.Errorf("%s: %v, want it removed: %t", id, err, want)
		}
	}
}

// Sweep works when Redis is full.
func TestSweepWhenFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redis.Options{Addrs: []string{server.Addr}})
	for range 250 {
		e := newEntry("u")
		e.Status = core.StatusIgnored
		if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Payload: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	later := func() time.Time { return time.Now().Add(400 * 24 * time.Hour) }
	sweeper := open(t, redis.Options{Addrs: []string{server.Addr}, Now: later})
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if _, _, err := s.Accept(t.Context(), delivery(newEntry("u"))); err == nil {
		t.Fatal("Redis is not full")
	}
	if err := sweeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, key := range server.Keys() {
		for _, kind := range []string{"e:", "p:", "u:", "x:", "f:", "users"} {
			if strings.HasPrefix(key, "{webhooks}:"+kind) {
				t.Errorf("%s is left", key)
			}
		}
	}
}

// Settings that may lose data are logged as warnings at the start.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"as it should be": {nil, nil},
		"evicting":        {[]string{"--maxmemory-policy", "allkeys-lru"}, []string{"setting=maxmemory-policy value=allkeys-lru"}},
		"no file":         {[]string{"--appendonly", "no"}, []string{"setting=appendonly value=no"}},
		"both": {
			[]string{"--maxmemory-policy", "volatile-ttl", "--appendonly", "no"},
			[]string{"setting=maxmemory-policy value=volatile-ttl", "setting=appendonly value=no"},
		},
		"unknown": {[]string{"--rename-command", "CONFIG", ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, j := started(t, test.args...)
			j.want(t, len(test.want), "WARN")
			for _, want := range test.want {
				j.want(t, 1, "WARN redis setting may lose data "+want)
			}
			want := 0
			if name == "unknown" {
				want = 2
			}
			j.want(t, want, "INFO redis setting unknown")
		})
	}
}

// A missing entry that the queue or a claim refers to does not block others.
func TestMissingEntry(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var later atomic.Int64
	s := open(t, redis.Options{Addrs: []string{server.Addr}, Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	lane := func(e core.Entry) core.Entry {
		a := delivery(e)
		a.Place.Lane = "lane"
		c, _, err := s.Accept(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return c.Entry
	}
	waited, claimed := lane(newEntry("u")), lane(newEntry("u"))
	server.Do("DEL", "{webhooks}:e:"+waited.ID)
	if c := claim(t, s); c.Change.Entry.ID != claimed.ID {
		t.Errorf("got %+v", c)
	}
	server.Do("DEL", "{webhooks}:e:"+claimed.ID)
	later.Store(int64(time.Hour))
	next := lane(newEntry("u"))
	if c := claim(t, s); c.Change.Entry.ID != next.ID {
		t.Errorf("got %+v", c)
	}
	for _, e := range []core.Entry{waited, claimed} {
		if there := server.Do("EXISTS", "{webhooks}:e:"+e.ID); there != "0" {
			t.Errorf("%s was created again", e.ID)
		}
	}
	for _, key := range []string{"queue", "w:lane"} {
		if left := server.Do("ZCARD", "{webhooks}:"+key); left != "0" {
			t.Errorf("%s are in %s", left, key)
		}
	}
}

// Sweep works if changes are kept for longer than since 1970.
func TestKeepForEver(t *testing.T) {
	t.Parallel()
	s := open(t, redis.Options{Addrs: []string{redistest.Start(t).Addr}, KeepChanges: 100 * 365 * 24 * time.Hour, MaxEntries: 1})
	for range 3 {
		e := newEntry("u")
		e.Status = core.StatusIgnored
		if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, total, err := s.Entries(t.Context(), "u", "", 0, 10); err != nil || total != 1 {
		t.Errorf("got %d entries, %v", total, err)
	}
	if got := changes(t, s, "u", core.Seq{}); len(got) != 3 {
		t.Errorf("got %d changes", len(got))
	}
}

// A claimed lane with many waiting entries does not block other lanes.
func TestManyWait(t *testing.T) {
	t.Parallel()
	server, s, _ := started(t, "--appendonly", "no")
	for range 2 {
		a := delivery(newEntry("u"))
		a.Place.Lane = "lane"
		if _, _, err := s.Accept(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	claim(t, s)
	server.Do("EVAL", `for i = 1, 30000 do
		redis.call('HSET', '{webhooks}:e:0' .. i, 'doc', '{}', 'lane', 'lane')
		redis.call('ZADD', '{webhooks}:w:lane', 0, '0' .. i)
	end`, "1", "{webhooks}:")
	free := accept(t, s, newEntry("u"))
	if c := claim(t, s); c.Change.Entry.ID != free.Entry.ID {
		t.Errorf("got %s, want %s", c.Change.Entry.ID, free.Entry.ID)
	}
}

// The number of commands of a push into a lane, and of the work on one, does not depend
// on the number of entries that wait.
func TestLaneCostsTheSame(t *testing.T) {
	t.Parallel()
	server, s, _ := started(t, "--appendonly", "no")
	commands := func() (calls int) {
		for _, line := range lines(server.Do("INFO", "commandstats")) {
			// Without those that the store calls by itself.
			found := regexp.MustCompile(`^cmdstat_(?:z\w+|hset):calls=(\d+)`).FindStringSubmatch(line)
			if found == nil {
				continue
			}
			n, err := strconv.Atoi(found[1])
			if err != nil {
				t.Fatal(err)
			}
			calls += n
		}
		return calls
	}
	push := func() {
		a := delivery(newEntry("u"))
		a.Place.Lane = "lane"
		if _, _, err := s.Accept(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	work := func() int {
		before := commands()
		push()
		if _, err := s.Finish(t.Context(), claim(t, s).Change.Entry, 0); err != nil {
			t.Fatal(err)
		}
		return commands() - before
	}
	push()
	push()
	few := work()
	for range 1000 {
		push()
	}
	if many := work(); many != few {
		t.Errorf("%d commands with 1000 waiting entries, and %d with few", many, few)
	}
}
