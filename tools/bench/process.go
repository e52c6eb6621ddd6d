package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a contender that runs.
type process struct {
	cmd   *exec.Cmd
	lines chan string   // of its standard output
	done  chan struct{} // closed when it has ended
	log   string        // file of its standard error
}

// start runs a command whose standard error goes to a file of the suite.
func (s *suite) start(ctx context.Context, name string, args ...string) (*process, error) {
	log, err := os.CreateTemp(s.dir, filepath.Base(name)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has it
	p := &process{lines: make(chan string, 64), done: make(chan struct{}), log: log.Name()}
	p.cmd = exec.CommandContext(ctx, name, args...) //nolint:gosec // the programs to be measured
	p.cmd.Dir, p.cmd.Stderr = s.dir, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Cancel = func() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			select {
			case p.lines <- scanner.Text():
			default: // they are not read any more
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = p.cmd.Wait()
		close(p.lines)
	}()
	return p, nil
}

// line waits for the line of standard output that begins with prefix and
// returns the rest of it.
func (p *process) line(ctx context.Context, prefix string) (string, error) {
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				return "", fmt.Errorf("%s ended: %s", p.cmd.Path, p.lastWords())
			}
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return strings.TrimSpace(rest), nil
			}
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

func (p *process) lastWords() string {
	text, _ := os.ReadFile(p.log)
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}

// stop ends the process and all that it started.
func (p *process) stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// cost is what a process has used until now.
type cost struct {
	cpu  time.Duration
	peak int64 // bytes resident at the most
}

// cost reads from /proc what the process and the others of its process group, such
// as the workers of nginx, have used.
func (p *process) cost() (cost, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return cost{}, err
	}
	var sum cost
	for _, path := range stats {
		stat, err := os.ReadFile(path) //nolint:gosec // of the kernel
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 13 {
			return cost{}, fmt.Errorf("%s: unexpected form", path)
		}
		if fields[2] != strconv.Itoa(p.cmd.Process.Pid) { // pgrp
			continue
		}
		one, err := costOf(filepath.Dir(path), fields[11], fields[12])
		if err != nil {
			return cost{}, err
		}
		sum.cpu += one.cpu
		sum.peak += one.peak
	}
	return sum, nil
}

// costOf returns what the process of a folder of /proc has used; utime and stime are
// from its stat.
func costOf(dir, utime, stime string) (cost, error) {
	var c cost
	for _, field := range []string{utime, stime} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return cost{}, err
		}
		const ticksASecond = 100 // USER_HZ, which Linux fixes for user space
		c.cpu += time.Duration(n) * time.Second / ticksASecond
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return cost{}, err
	}
	for line := range strings.Lines(string(status)) {
		rest, found := strings.CutPrefix(line, "VmHWM:")
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return cost{}, err
		}
		c.peak = kib << 10
	}
	return c, nil
}
