package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// apart calls start, which starts a server, so that the server has one processor and
// everything else of this process the others: senders that share the processors of a
// server slow it down, the more of them there are. together undoes it.
//
// It does nothing if there is only one processor.
func apart(start func() (*server, error)) (srv *server, together func(), err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, nil, fmt.Errorf("reading the processors: %w", err)
	}
	first := 0
	for !all.IsSet(first) {
		first++
	}
	if all.Count() < 2 {
		srv, err = start()
		return srv, func() {}, err
	}
	var one unix.CPUSet
	one.Set(first)
	others := all
	others.Clear(first)

	runtime.LockOSThread() // a process inherits the processors of the thread that starts it
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, nil, fmt.Errorf("choosing a processor: %w", err)
	}
	if srv, err = start(); err != nil {
		useProcessors(&all)
		return nil, nil, err
	}
	useProcessors(&others)
	return srv, func() { useProcessors(&all) }, nil
}

// useProcessors has all threads of this process run on those processors.
func useProcessors(set *unix.CPUSet) {
	runtime.GOMAXPROCS(set.Count())
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.SchedSetaffinity(id, set) // a thread may have ended
		}
	}
}
