package group

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// How often the process table is read while a group ends.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 100 * time.Millisecond
)

// killLimit is how long SIGKILL is repeated before End gives up: a process in
// an uninterruptible state can't be killed.
const killLimit = 10 * time.Second

// maxStops is how many consecutive scans may find new processes before the known
// ones are killed.
const maxStops = 20

// ErrSurvivors means that processes of the group remain after SIGKILL.
var ErrSurvivors = errors.New("group: processes survive SIGKILL")

// EndAll repeatedly ends the processes that find returns, until it returns none. It
// sends SIGTERM at first, and SIGKILL when ctx ends.
func EndAll(ctx context.Context, find func() ([]int, error)) error {
	return end(ctx, find, signal)
}

func signal(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig)
	}
}

// end terminates the processes that find returns, and kills them when ctx ends. send
// may signal more processes than the pids that it is called with.
func end(ctx context.Context, find func() ([]int, error), send func([]int, syscall.Signal)) error {
	if err := ask(ctx, find); err == nil || ctx.Err() == nil {
		return err
	}
	return force(context.WithoutCancel(ctx), find, send)
}

// ask sends SIGTERM once to each process and waits until there are none. It fails
// when ctx ends.
func ask(ctx context.Context, find func() ([]int, error)) error {
	asked := map[int]bool{}
	return untilNone(ctx, find, func(pids []int) bool {
		for _, pid := range pids {
			if !asked[pid] {
				asked[pid] = true
				_ = syscall.Kill(pid, syscall.SIGTERM)
			}
		}
		return false
	})
}

// force kills processes until there are none. It stops all of them first, as running
// processes can fork as fast as others are killed; stopped processes still count
// towards the limit of processes.
func force(ctx context.Context, find func() ([]int, error), send func([]int, syscall.Signal)) error {
	ctx, cancel := context.WithTimeout(ctx, killLimit)
	defer cancel()
	send(nil, syscall.SIGSTOP) // before the scan, which is slow if there are many processes
	stopped := map[int]bool{}
	stops := 0
	return untilNone(ctx, find, func(pids []int) bool {
		var fresh []int
		for _, pid := range pids {
			if !stopped[pid] {
				stopped[pid] = true
				fresh = append(fresh, pid)
			}
		}
		if stops++; len(fresh) > 0 && stops < maxStops {
			send(fresh, syscall.SIGSTOP)
			return true
		}
		send(pids, syscall.SIGKILL)
		clear(stopped)
		stops = 0
		return true
	})
}

// untilNone calls find repeatedly, and do with the result, until there are no
// processes. do returns true for a short interval until the next scan.
func untilNone(ctx context.Context, find func() ([]int, error), do func([]int) (soon bool)) error {
	look := firstLook
	none := false // at the last scan
	for {
		pids, err := find()
		if err != nil {
			return fmt.Errorf("group: reading the process table: %w", err)
		}
		if len(pids) == 0 && none {
			return nil
		}
		// During execve(2) a process has no environment for a moment, so two
		// consecutive scans must find no process.
		if none = len(pids) == 0; none || do(pids) {
			look = firstLook
		}
		pause := time.NewTimer(look)
		look = min(look*2, lastLook)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("%w: %v", ErrSurvivors, pids)
		}
	}
}
