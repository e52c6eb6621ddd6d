package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// commitMark is before the commit of every change, in each contender's form of it.
const commitMark = "octo/bench/"

// readers are connections that read a feed and count its changes.
type readers struct {
	conns  []net.Conn
	got    atomic.Int64
	newest atomic.Int64 // when the newest change was read, in ns
	wake   chan struct{}

	timed atomic.Pointer[timing]
}

// timing has when changes were made, and how much later readers had them.
type timing struct {
	made sync.Map // of the commit, a string, to a time.Time

	mu   sync.Mutex
	late []time.Duration
}

// openReaders opens n feeds by a request, each until its headers have come.
func openReaders(ctx context.Context, address string, request []byte, n int) (*readers, error) {
	r := &readers{conns: make([]net.Conn, n), wake: make(chan struct{}, 1)}
	var next atomic.Int64
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				conn, err := r.open(ctx, address, request)
				mu.Lock()
				r.conns[i] = conn
				if first == nil {
					first = err
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if first != nil {
		r.close()
		return nil, first
	}
	return r, nil
}

func (r *readers) open(ctx context.Context, address string, request []byte) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return conn, err
	}
	reader := bufio.NewReaderSize(conn, 4<<10)
	line, err := reader.ReadString('\n')
	if err != nil {
		return conn, err
	}
	if len(line) < 12 || line[9:12] != "200" {
		text, _ := io.ReadAll(io.LimitReader(reader, 500))
		return conn, fmt.Errorf("a feed was answered %q %q", line, text)
	}
	for line != "\r\n" {
		if line, err = reader.ReadString('\n'); err != nil {
			return conn, err
		}
	}
	go r.count(reader)
	return conn, nil
}

// count counts changes: each is in a line, and nothing else in the stream has the mark.
func (r *readers) count(reader *bufio.Reader) {
	mark := []byte(commitMark)
	for {
		line, err := reader.ReadSlice('\n')
		if _, rest, found := bytes.Cut(line, mark); found {
			now := time.Now()
			r.newest.Store(now.UnixNano())
			if t := r.timed.Load(); t != nil {
				t.read(rest, now)
			}
			r.got.Add(1)
			select {
			case r.wake <- struct{}{}:
			default:
			}
		}
		if err != nil && err != bufio.ErrBufferFull { //nolint:errorlint // bufio returns it as it is
			return
		}
	}
}

// begin makes the readers note from now on how late they have each change.
func (r *readers) begin(changes, n int) {
	r.timed.Store(&timing{late: make([]time.Duration, 0, changes*n)})
}

// made notes when the change of a request was made.
func (r *readers) made(request []byte, at time.Time) {
	if _, commit, found := bytes.Cut(request, []byte(`"after":"`)); found {
		r.timed.Load().made.Store(string(commit[:commitDigits]), at)
	} else if _, commit, found := bytes.Cut(request, []byte(commitMark)); found {
		r.timed.Load().made.Store(string(commit[:commitDigits]), at)
	}
}

// read notes that a reader has a change, whose text from the commit on is given.
func (t *timing) read(text []byte, now time.Time) {
	if len(text) < commitDigits {
		return
	}
	at, found := t.made.Load(string(text[:commitDigits]))
	if !found {
		return
	}
	late := now.Sub(at.(time.Time)) //nolint:forcetypeassert // nothing else is stored
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late = append(t.late, late)
}

// delays returns how late the readers had the changes, sorted.
func (r *readers) delays() []time.Duration {
	t := r.timed.Load()
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.late)
	return t.late
}

// wait waits until all readers together have got n changes.
func (r *readers) wait(ctx context.Context, n int64) error {
	for r.got.Load() < n {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return fmt.Errorf("the readers have %d of %d changes: %w", r.got.Load(), n, context.Cause(ctx))
		}
	}
	return nil
}

func (r *readers) last() time.Time { return time.Unix(0, r.newest.Load()) }

func (r *readers) close() {
	for _, conn := range r.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
}
