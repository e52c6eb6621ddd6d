package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	floorFeed = "feed" // the floor of the feed
	// floorChanges is the path of its feed.
	floorChanges = "/changes"
)

// changeLine is a change as webhooks writes it without the entry; the place is that of
// the commit.
const changeLine = `{"seq":"1764288000000-0","id":"http://127.0.0.1:8080/1/status/bench/changes/019ac8f2b7c07b9e8a3f5d1c2e4b6a70",` +
	`"app_name":"","uuid":"019ac8f2-b7c0-7b9e-8a3f-5d1c2e4b6a70","status":"ignored","provider":"github","commit":"octo/bench/%s",` +
	`"reason":"The push is of the branch \"elsewhere\"; only \"main\" is deployed (the parameter branch chooses another)"}`

// sharedLog is the floor of a feed: changes are encoded once, as chunks of HTTP, into
// one log, in which each reader is a position. A few goroutines write to the readers
// what they do not have yet.
type sharedLog struct {
	mu    sync.Mutex
	grown *sync.Cond
	text  []byte
	parts []*part
	next  int
}

// part has the readers of one goroutine.
type part struct {
	readers []*position // guarded by mu of the log
}

// position is a reader.
type position struct {
	conn net.Conn
	at   int
}

// serveFeedFloor serves the floor of the feed until ctx ends. Every push that is
// signed is a change, and is stored nowhere.
func serveFeedFloor(ctx context.Context, stdout io.Writer) error {
	l := &sharedLog{}
	l.grown = sync.NewCond(&l.mu)
	for range runtime.GOMAXPROCS(0) {
		p := &part{}
		l.parts = append(l.parts, p)
		go l.write(p)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", l.push)
	mux.HandleFunc("GET "+floorChanges, l.read)
	mux.HandleFunc("GET "+pathProfiles, pprof.Index)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "listens %s\n", listener.Addr())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// push appends a change.
func (l *sharedLog) push(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !signedByFloor(body, r.Header.Get("X-Hub-Signature-256")) {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	_, rest, _ := bytes.Cut(body, []byte(`"after":"`))
	commit, _, _ := bytes.Cut(rest, []byte{'"'})
	line := fmt.Sprintf(changeLine+"\n", commit)
	l.mu.Lock()
	l.text = fmt.Appendf(l.text, "%x\r\n%s\r\n", len(line), line)
	l.mu.Unlock()
	l.grown.Broadcast()
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, strings.TrimSpace(line))
}

// read takes the connection of a reader, which gets what comes from now on.
func (l *sharedLog) read(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parts[l.next%len(l.parts)]
	l.next++
	p.readers = append(p.readers, &position{conn, len(l.text)})
}

// write writes to the readers of a part what they do not have yet, for ever.
func (l *sharedLog) write(p *part) {
	written := 0
	for {
		l.mu.Lock()
		for len(l.text) == written {
			l.grown.Wait()
		}
		text, readers := l.text, p.readers
		l.mu.Unlock()
		written = len(text)
		for _, r := range readers {
			if r.at < written {
				_, _ = r.conn.Write(text[r.at:]) // a reader that has gone gets nothing
				r.at = written
			}
		}
	}
}
