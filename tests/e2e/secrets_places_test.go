package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"
)

// processes are the arguments and the environments of all processes during a
// test.
type processes struct{ arguments, environments bytes.Buffer }

// watchProcesses records all processes until stop.
func watchProcesses(ctx context.Context) (stop func() *processes) {
	ctx, cancel := context.WithCancel(ctx)
	seen := &processes{}
	known := map[string]bool{}
	look := func(pattern string, into *bytes.Buffer) {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil && !known[string(text)] { //nolint:gosec // of /proc
				known[string(text)] = true
				into.Write(text)
			}
		}
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			look("/proc/[0-9]*/cmdline", &seen.arguments)
			look("/proc/[0-9]*/environ", &seen.environments)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() *processes {
		cancel()
		watching.Wait()
		return seen
	}
}

// heard is a server that records what it is sent.
type heard struct {
	*httptest.Server
	all           notes
	authorization notes       // the header of that name alone
	posts         chan string // bodies
}

// listening returns a server that records requests and answers them with handler.
func listening(t *testing.T, handler http.Handler) *heard {
	t.Helper()
	h := &heard{posts: make(chan string, 1000)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		header := r.Header.Clone()
		_, _ = fmt.Fprintln(&h.authorization, header["Authorization"])
		header.Del("Authorization")
		_, _ = fmt.Fprintln(&h.all, r.Method, r.RequestURI, header, string(body))
		if r.Method == http.MethodPost {
			h.posts <- string(body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// until waits for a post that contains says.
func (h *heard) until(t *testing.T, says string) {
	t.Helper()
	for !strings.Contains(next(t, "a post with "+says, h.posts), says) { //nolint:revive // it only waits
	}
}

// forwarded returns a handler that forwards requests to another server.
func forwarded(t *testing.T, to string) http.Handler {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
}

// kept returns all data of a Redis, uncompressed.
func kept(t *testing.T, addr, password string) []byte {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, Password: password})
	defer client.Close() //nolint:errcheck // only read
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	var all bytes.Buffer
	add := func(values ...string) {
		for _, value := range values {
			text, err := decoder.DecodeAll([]byte(value), nil)
			if err != nil {
				text = []byte(value) // it was not compressed
			}
			all.Write(append(text, '\n'))
		}
	}
	ctx := t.Context()
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		add(key)
		var values []string
		var err error
		switch kind := client.Type(ctx, key).Val(); kind {
		case "string":
			var value string
			value, err = client.Get(ctx, key).Result()
			values = []string{value}
		case "hash":
			var fields map[string]string
			fields, err = client.HGetAll(ctx, key).Result()
			for name, value := range fields {
				values = append(values, name, value)
			}
		case "list":
			values, err = client.LRange(ctx, key, 0, -1).Result()
		case "set":
			values, err = client.SMembers(ctx, key).Result()
		case "zset":
			values, err = client.ZRange(ctx, key, 0, -1).Result()
		case "stream":
			var messages []redis.XMessage
			messages, err = client.XRange(ctx, key, "-", "+").Result()
			for _, message := range messages {
				for name, value := range message.Values {
					values = append(values, name, fmt.Sprint(value))
				}
			}
		default:
			t.Errorf("%s is a %s, which this test does not read", key, kind)
		}
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		add(values...)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}
