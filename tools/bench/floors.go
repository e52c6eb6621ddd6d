package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
	"go.etcd.io/bbolt"
)

// The floors do only what no server of the kind can leave out, with the same
// libraries: take a delivery, check its signature, store it, answer.
const (
	floorSecret = "the secret of the floors"

	floorVerify = "verify" // stores nothing
	floorBolt   = "bolt"   // stores by bbolt's own grouping of commits
	floorLog    = "log"    // stores in a file, with one fdatasync for a group
	floorRedis  = "redis"  // stores in Redis, with one pipeline for a group
)

// serveFloor serves one of the floors until ctx ends. That of Redis has its address
// as an argument.
func serveFloor(ctx context.Context, name string, args []string, stdout io.Writer) error {
	if name == floorFeed {
		return serveFeedFloor(ctx, stdout)
	}
	dir, err := os.MkdirTemp("", "webhooks-bench-floor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort
	store, err := openFloor(ctx, name, dir, args)
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/", func(c *gin.Context) {
		body, err := io.ReadAll(c.Request.Body)
		if err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		if !signedByFloor(body, c.GetHeader("X-Hub-Signature-256")) {
			c.JSON(http.StatusUnauthorized, gin.H{"error": "bad_signature"})
			return
		}
		if err := store(body); err != nil {
			c.Status(http.StatusServiceUnavailable)
			return
		}
		c.JSON(http.StatusAccepted, gin.H{"status": "pending"})
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "listens %s\n", listener.Addr())
	srv := &http.Server{Handler: engine, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// signedByFloor reports whether a body is signed with the secret of the floors.
func signedByFloor(body []byte, signature string) bool {
	mac := hmac.New(sha256.New, []byte(floorSecret))
	mac.Write(body)
	digits, _ := strings.CutPrefix(signature, "sha256=")
	given, _ := hex.DecodeString(digits)
	return hmac.Equal(given, mac.Sum(nil))
}

// openFloor returns what stores a delivery durably.
func openFloor(ctx context.Context, name, dir string, args []string) (func([]byte) error, error) {
	switch name {
	case floorVerify:
		return func([]byte) error { return nil }, nil
	case floorBolt:
		return openBolt(filepath.Join(dir, "floor.db"))
	case floorLog:
		return openLog(filepath.Join(dir, "floor.log"))
	case floorRedis:
		if len(args) == 1 {
			return openRedis(ctx, args[0]), nil
		}
	}
	return nil, fmt.Errorf("no floor %q %q; there are %s, %s, %s, %s ADDRESS and %s", name, args, floorVerify, floorBolt, floorLog, floorRedis, floorFeed)
}

func openBolt(path string) (func([]byte) error, error) {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return nil, err
	}
	bucket := []byte("deliveries")
	if err := db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucket)
		return err
	}); err != nil {
		return nil, err
	}
	queue := make(chan queued, 4096)
	go inGroups(queue, func(group []queued) error {
		return db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucket)
			b.FillPercent = 1 // keys only rise
			for _, q := range group {
				if err := b.Put(q.key, q.body); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return enqueue(queue), nil
}

func openLog(path string) (func([]byte) error, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // in a folder of our own
	if err != nil {
		return nil, err
	}
	queue := make(chan queued, 4096)
	var buf []byte
	go inGroups(queue, func(group []queued) error {
		buf = buf[:0]
		for _, q := range group {
			buf = binary.BigEndian.AppendUint32(append(buf, q.key...), uint32(len(q.body))) //nolint:gosec // at most 25 MiB
			buf = append(buf, q.body...)
		}
		if _, err := file.Write(buf); err != nil {
			return err
		}
		return syscall.Fdatasync(int(file.Fd())) //nolint:gosec // a descriptor
	})
	return enqueue(queue), nil
}

// openRedis stores deliveries by one pipeline for each group, which waits for the sync
// of Redis if that makes one.
func openRedis(ctx context.Context, address string) func([]byte) error {
	client := redis.NewClient(&redis.Options{Addr: address})
	queue := make(chan queued, 4096)
	go inGroups(queue, func(group []queued) error {
		pipeline := client.Pipeline()
		for _, q := range group {
			pipeline.Set(ctx, string(q.key), q.body, 0)
		}
		_, err := pipeline.Exec(ctx)
		return err
	})
	return enqueue(queue)
}

// queued is a delivery that waits for its group to be written.
type queued struct {
	key, body []byte
	done      chan error
}

func enqueue(queue chan<- queued) func([]byte) error {
	var next atomic.Uint64
	return func(body []byte) error {
		q := queued{binary.BigEndian.AppendUint64(nil, next.Add(1)), body, make(chan error, 1)}
		queue <- q
		return <-q.done
	}
}

// inGroups writes together what waits.
func inGroups(queue <-chan queued, write func([]queued) error) {
	for first := range queue {
		group := []queued{first}
		for waiting := true; waiting && len(group) < cap(queue); {
			select {
			case q := <-queue:
				group = append(group, q)
			default:
				waiting = false
			}
		}
		err := write(group)
		for _, q := range group {
			q.done <- err
		}
	}
}
