package group

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pipe is the read end of a pipe that processes write to. Processes that are not
// waited for may keep its other end open, and write to it for ever.
type Pipe struct {
	file   *os.File
	finish sync.Once
	last   bool // only what was in the pipe is still read
	left   int  // bytes of that
}

// OpenPipe returns a pipe and its write end, which the caller closes when the
// processes have it.
func OpenPipe() (*Pipe, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return &Pipe{file: r}, w, nil
}

// Read reads what was written.
func (p *Pipe) Read(b []byte) (int, error) {
	if !p.last {
		n, err := p.file.Read(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if p.left, err = p.size(); err != nil {
			return 0, err
		}
		if err := p.file.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
		p.last = true
	}
	if p.left == 0 {
		return 0, io.EOF
	}
	n, err := p.file.Read(b[:min(len(b), p.left)]) // it does not wait, as nothing else reads
	p.left -= n
	return n, err
}

// size returns the number of bytes in the pipe.
func (p *Pipe) size() (n int, err error) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	failed := conn.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) // FIONREAD
	return n, errors.Join(failed, err)
}

// Finish ends the reading: Read returns what is in the pipe, and then [io.EOF].
func (p *Pipe) Finish() {
	p.finish.Do(func() { _ = p.file.SetReadDeadline(time.Now()) }) // if it is closed, nothing is read
}

// Close closes the read end.
func (p *Pipe) Close() error { return p.file.Close() }

// outputs pass on what a command writes. os/exec does that until all processes have
// closed the pipe, or until a timeout, after which the rest is lost.
type outputs struct {
	pipes  []*Pipe
	ends   []*os.File // of the command
	copied chan struct{}
}

// attach replaces the writers of cmd's output by pipes to them.
func attach(cmd *exec.Cmd) (*outputs, error) {
	o := &outputs{copied: make(chan struct{})}
	var copying sync.WaitGroup
	pipe := func(to io.Writer) (io.Writer, error) {
		if _, file := to.(*os.File); file || to == nil {
			return to, nil
		}
		p, w, err := OpenPipe()
		if err != nil {
			return nil, err
		}
		o.pipes, o.ends = append(o.pipes, p), append(o.ends, w)
		copying.Go(func() {
			_, _ = io.Copy(to, p) // if it fails, so do the writes of the command
			_ = p.Close()
		})
		return w, nil
	}
	both := cmd.Stderr == cmd.Stdout
	var err error
	cmd.Stdout, err = pipe(cmd.Stdout)
	switch {
	case err != nil:
	case both:
		cmd.Stderr = cmd.Stdout
	default:
		cmd.Stderr, err = pipe(cmd.Stderr)
	}
	go func() {
		copying.Wait()
		close(o.copied)
	}()
	if err != nil {
		o.detach()
		return nil, err
	}
	return o, nil
}

// detach closes the ends that the command has.
func (o *outputs) detach() {
	for _, w := range o.ends {
		_ = w.Close()
	}
}

// finish waits until all that was written is passed on, or until ctx ends.
func (o *outputs) finish(ctx context.Context) {
	for _, p := range o.pipes {
		p.Finish()
	}
	select {
	case <-o.copied:
	case <-ctx.Done():
	}
}
