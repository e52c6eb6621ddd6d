package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/transfer"
	"github.com/nodejitsu/webhooks/core"
)

// Whatever is another than what was imported is noticed.
func TestCompare(t *testing.T) {
	t.Parallel()
	server, s, _ := started(t)
	e := newEntry("u")
	e.Revision = 3
	now := time.Now().UTC()
	kept := transfer.Kept{
		Change: core.Change{Seq: core.Seq{Millis: 1, N: 1}, Entry: e}, Payload: []byte("{}"),
		Key: "key", KeyMade: now, Lane: "lane", Queued: true, At: now.Add(time.Hour + time.Nanosecond), Owed: true,
	}
	lane := transfer.Lane{Name: "lane", Newest: e.ID, PushedAt: now}
	for name, damage := range map[string][]string{
		"document":           {"HSET", "e:" + e.ID, "doc", "{}"},
		"payload":            {"DEL", "p:" + e.ID},
		"key":                {"SET", "k:u key", "other"},
		"lane":               {"HDEL", "e:" + e.ID, "lane"},
		"place in the queue": {"ZREM", "queue", e.ID},
		"time in the queue":  {"HSET", "e:" + e.ID, "at", "5"},
		"outcome":            {"ZREM", "outbox", e.ID},
	} {
		for _, key := range []string{"e:" + e.ID, "p:" + e.ID, "k:u key", "queue", "outbox"} {
			server.Do("DEL", "{webhooks}:"+key)
		}
		if became, err := s.Import(t.Context(), kept); err != nil || became != redis.Added {
			t.Fatalf("%s, %v", became, err)
		}
		if became, err := s.Compare(t.Context(), kept); err != nil || became != redis.Known {
			t.Fatalf("%s, %v", became, err)
		}
		damage[1] = "{webhooks}:" + damage[1]
		server.Do(damage...)
		if _, err := s.Compare(t.Context(), kept); err == nil || !strings.Contains(err.Error(), "its "+name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := s.ImportLane(t.Context(), lane); err != nil {
		t.Fatal(err)
	}
	if err := s.ImportJoined(t.Context(), "u/app", e.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.CompareLane(t.Context(), lane); err != nil {
			t.Error(err)
		}
		if err := s.CompareJoined(t.Context(), "u/app", e.ID); err != nil {
			t.Error(err)
		}
		later := newEntry("u").ID // as servers do
		server.Do("HSET", "{webhooks}:l:lane", "id", later)
		server.Do("SET", "{webhooks}:a:u/app", later)
	}
	server.Do("HSET", "{webhooks}:l:lane", "id", "0")
	server.Do("SET", "{webhooks}:a:u/app", "0")
	if s.CompareLane(t.Context(), lane) == nil || s.CompareJoined(t.Context(), "u/app", e.ID) == nil {
		t.Error("an older one is taken for the newest")
	}
	server.Do("DEL", "{webhooks}:e:"+e.ID)
	if became, err := s.Compare(t.Context(), kept); err == nil {
		t.Errorf("it is not there, and said to be %s", became)
	}
}
