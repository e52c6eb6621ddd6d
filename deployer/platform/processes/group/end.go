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
// an uninterruptible state can't be ended by anybody.
const killLimit = 10 * time.Second

// maxStops is how many looks in a row may find somebody new before those that
// are known are killed.
const maxStops = 20

// ErrSurvivors says that processes of the group are left after SIGKILL.
var ErrSurvivors = errors.New("group: processes survive SIGKILL")

// EndAll ends the processes that find returns, again and again until it
// returns none: SIGTERM at first, SIGKILL when ctx ends.
func EndAll(ctx context.Context, find func() ([]int, error)) error {
	return end(ctx, find, signal)
}

func signal(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig)
	}
}

// end asks those that find returns to end, and when ctx ends kills them. send
// may reach more than the pids that it is called with.
func end(ctx context.Context, find func() ([]int, error), send func([]int, syscall.Signal)) error {
	if err := ask(ctx, find); err == nil || ctx.Err() == nil {
		return err
	}
	return force(context.WithoutCancel(ctx), find, send)
}

// ask sends SIGTERM, once to each, and waits until there is none; it fails
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

// force kills until there is none. All are stopped first, as one that may
// still run can fork as fast as others are killed; those that are stopped hold
// their places in the limit of processes.
func force(ctx context.Context, find func() ([]int, error), send func([]int, syscall.Signal)) error {
	ctx, cancel := context.WithTimeout(ctx, killLimit)
	defer cancel()
	send(nil, syscall.SIGSTOP) // before a look, which takes long where very many run
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

// untilNone looks again and again, and calls do with what it finds, until
// there is none. do returns true to look again soon.
func untilNone(ctx context.Context, find func() ([]int, error), do func([]int) (soon bool)) error {
	look := firstLook
	none := false // at the last look
	for {
		pids, err := find()
		if err != nil {
			return fmt.Errorf("group: reading the process table: %w", err)
		}
		if len(pids) == 0 && none {
			return nil
		}
		// One that is just being replaced by another program (execve(2)) has no
		// environment for a moment, so it takes two looks to see nobody.
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
