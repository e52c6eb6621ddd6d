package group

import (
	"bytes"
	"strconv"
	"syscall"
	"time"
)

// How often the memory of a group without a control group is read: the less is left of
// it, the sooner.
const (
	leastPause = 50 * time.Millisecond
	mostPause  = time.Second
	growth     = 1 << 30 // bytes a second that a group is assumed to allocate at most
)

const (
	// longSearch is the longest time for which a new process of a group is not counted.
	// Finding it takes reading the whole process table. Each search that finds no new
	// process doubles the pause before the next one.
	longSearch = 10 * time.Second
	// searchShare is the inverse of the share of the time that reading the table may take
	// then. It takes longer the more groups the machine has.
	searchShare = 1000
)

// searchPause returns the time until the next search for new processes: after a search that
// took so long, the pause before it, and whether it found some.
func searchPause(took, before time.Duration, found bool) time.Duration {
	if found {
		return mostPause
	}
	return min(2*before, max(longSearch, searchShare*took))
}

// watchMemory kills the members of the group if they together use more than limit bytes of
// memory, as the kernel does if there is a control group. It returns when the group has
// ended.
func (g *Group) watchMemory(limit int64) {
	pids := []int{g.Pid()}
	search := func() {
		if found, err := g.Members(); err == nil { // otherwise those before, until the next search
			pids = found
		}
	}
	pause, searched, next := leastPause, time.Now(), mostPause
	for {
		select {
		case <-g.unwatched:
			return
		case <-time.After(pause):
		}
		if time.Since(searched) >= next {
			before, begin := len(pids), time.Now()
			search()
			searched = time.Now()
			next = searchPause(searched.Sub(begin), next, len(pids) > before)
		}
		used := sum(pids, anonymous)
		if used > limit {
			search() // one may have ended, and its number be that of a process of others
			used = sum(pids, proportional)
		}
		if used > limit {
			g.mu.Lock()
			g.starved = true
			g.mu.Unlock()
			g.signal(pids, syscall.SIGKILL) // End kills what was started meanwhile
		}
		pause = time.Duration(float64(limit-used) / growth * float64(time.Second))
		pause = min(max(pause, leastPause), mostPause)
	}
}

// sum returns how much memory processes use.
func sum(pids []int, memory func(pid int) int64) int64 {
	var all int64
	for _, pid := range pids {
		all += memory(pid)
	}
	return all
}

// anonymous returns how many bytes of memory a process uses, without what is read from
// files, which the kernel drops if it needs memory; 0 if it has ended.
func anonymous(pid int) int64 {
	used, _ := kib(pid, "status", "RssAnon", "RssShmem", "VmSwap")
	return used
}

// proportional is as anonymous, with its share of what several processes use, which takes
// the kernel longer.
func proportional(pid int) int64 {
	used, err := kib(pid, "smaps_rollup", "Pss_Anon", "Pss_Shmem", "SwapPss")
	if err != nil { // also if the server may not trace the process
		return anonymous(pid)
	}
	return used
}

// kib returns the sum in bytes of fields in a file of proc(5), which has them in KiB.
func kib(pid int, file string, names ...string) (bytesUsed int64, err error) {
	text, err := readProc(pid, file)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		_, rest, _ := bytes.Cut(text, []byte("\n"+name+":"))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(line, []byte(" kB")))), 10, 64)
		if err == nil { // otherwise this kernel does not have it, or the process is a zombie
			bytesUsed += n << 10
		}
	}
	return bytesUsed, nil
}
