package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// load is a number of connections that send requests as fast as they are
// answered, for some time.
type load struct {
	address     string // host:port
	connections int
	warm        time.Duration // before the period, while the connections are opened; what is answered then does not count
	period      time.Duration
	every       time.Duration              // between two requests of a connection; 0: at once
	request     func(buf *bytes.Buffer)    // writes the next request, whole
	want        func(status int) (ok bool) // whether an answer is what is measured
}

// answers is what came of a load.
type answers struct {
	ok       int
	refused  int // 503
	other    int
	elapsed  time.Duration
	latency  []time.Duration // of those that were ok, sorted
	refusals []time.Duration // of those that were refused, sorted
	firstBad string          // the first answer that was not expected
}

func (a answers) rate() float64 { return float64(a.ok) / a.elapsed.Seconds() }

func (a answers) quantile(q float64) time.Duration { return quantile(a.latency, q) }

// refusal returns the median time to a refusal.
func (a answers) refusal() time.Duration { return quantile(a.refusals, 0.5) }

// quantile returns the value below which a part of the sorted values is.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// run sends the load. It speaks HTTP by hand, so that what it uses itself of
// the machine is small beside what it measures.
func (l load) run(ctx context.Context) (answers, error) {
	ctx, cancel := context.WithTimeout(ctx, l.warm+l.period)
	defer cancel()
	begin := time.Now().Add(l.warm)
	var (
		mu    sync.Mutex
		total answers
		first error
		wg    sync.WaitGroup
	)
	for range l.connections {
		wg.Go(func() {
			mine, err := l.connection(ctx, begin)
			mu.Lock()
			defer mu.Unlock()
			total.ok += mine.ok
			total.refused += mine.refused
			total.other += mine.other
			total.latency = append(total.latency, mine.latency...)
			total.refusals = append(total.refusals, mine.refusals...)
			if total.firstBad == "" {
				total.firstBad = mine.firstBad
			}
			if err != nil && first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	total.elapsed = max(time.Since(begin), time.Millisecond)
	slices.Sort(total.latency)
	slices.Sort(total.refusals)
	if total.ok == 0 {
		return total, errors.Join(fmt.Errorf("no request was answered as expected; the first other answer: %q", total.firstBad), first)
	}
	return total, nil
}

// connection is one of them. A connection that the server closes is opened
// again, and a request that was refused is sent again. Answers count from since on.
func (l load) connection(ctx context.Context, since time.Time) (answers, error) {
	var (
		a      answers
		conn   net.Conn
		reader *bufio.Reader
		buf    bytes.Buffer
		err    error
		again  bool
	)
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for ctx.Err() == nil {
		if conn == nil {
			if conn, err = new(net.Dialer).DialContext(ctx, "tcp", l.address); err != nil {
				return a, ignoreEnd(ctx, err)
			}
			_ = conn.SetDeadline(time.Now().Add(l.period + time.Minute))
			reader = bufio.NewReaderSize(conn, 16<<10)
		}
		if !again {
			buf.Reset()
			l.request(&buf)
		}
		begin := time.Now()
		if _, err = conn.Write(buf.Bytes()); err == nil {
			var status int
			var body []byte
			var closes bool
			if status, body, closes, err = readAnswer(reader); err == nil {
				if again = status == http.StatusServiceUnavailable; begin.After(since) {
					a.count(l.want, status, body, time.Since(begin))
				}
			}
			if closes {
				err = io.EOF
			}
		}
		if err != nil {
			_ = conn.Close()
			conn = nil
		}
		if pause := l.every - time.Since(begin); pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
	return a, nil
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (a *answers) count(want func(int) bool, status int, body []byte, latency time.Duration) {
	switch {
	case want(status):
		a.ok++
		a.latency = append(a.latency, latency)
	case status == http.StatusServiceUnavailable:
		a.refused++
		a.refusals = append(a.refusals, latency)
	default:
		a.other++
		if a.firstBad == "" {
			a.firstBad = fmt.Sprintf("%d %s", status, body)
		}
	}
}

// readAnswer reads one answer of HTTP/1.1 with a Content-Length.
func readAnswer(r *bufio.Reader) (status int, body []byte, closes bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, nil, false, err
	}
	if len(line) < 12 {
		return 0, nil, false, fmt.Errorf("unexpected status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, false, err
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, nil, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, false, err
			}
		case bytes.EqualFold(name, []byte("Connection")):
			closes = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 {
		return 0, nil, false, errors.New("answer without a Content-Length")
	}
	body = make([]byte, min(length, 500))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, false, err
	}
	_, err = r.Discard(length - len(body))
	return status, body, closes, err
}
