package group

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// zombieLimit is about how long to wait for zombies that have a parent.
const zombieLimit = time.Second

// Adopt makes the calling process the parent of all orphans below it
// (PR_SET_CHILD_SUBREAPER), so that no zombies are left if no init process
// collects them, as in a container. It affects the whole program.
func Adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("group: adopting orphans: %w", err)
	}
	return nil
}

// Group is a command that was started, and all that it started.
type Group struct {
	mark   string
	start  uint64 // of the leader: no member is older
	cmd    *exec.Cmd
	cgroup *cgroup // nil: none
	badge  *badge  // nil: none
	out    *outputs
	exited chan struct{}

	watching  sync.WaitGroup // of the memory, if there is no control group
	unwatched chan struct{}  // closed by unwatch
	unwatch   func()

	mu      sync.Mutex
	seen    map[int]uint64 // members that were seen alive: pid to start time
	ended   bool
	starved bool  // it was killed by watchMemory
	err     error // of cmd.Wait, once ended
	oom     bool  // once ended
}

// Start starts cmd as the leader of a new process group with that mark, which no
// other group may have. The caller must call [Group.End], even if the leader has
// exited by itself. Unless c is nil, the group is in a control group of its own,
// which limits the memory and the processes of all members together, and which
// [Group.End] removes.
func (c *Cgroups) Start(cmd *exec.Cmd, mark string, limits Limits) (*Group, error) {
	own, err := c.make(mark, limits)
	if err != nil {
		return nil, fmt.Errorf("group: making a control group: %w", err)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	pinned, err := pin(cmd)
	if err != nil {
		return nil, errors.Join(err, own.remove())
	}
	out, err := attach(cmd)
	if err != nil {
		pinned.release()
		return nil, errors.Join(fmt.Errorf("group: opening a pipe: %w", err), own.remove())
	}
	defer out.detach() // the command has its own
	cmd.Env = append(cmd.Env, Variable+"="+mark)
	if err := own.launch(cmd); err != nil {
		pinned.release()
		return nil, errors.Join(fmt.Errorf("group: starting: %w", err), own.remove())
	}
	g := &Group{mark: mark, cmd: cmd, cgroup: own, badge: pinned, out: out, exited: make(chan struct{}), unwatched: make(chan struct{}), seen: map[int]uint64{}}
	if leader, ok := inspect(g.Pid()); ok { // even if it has exited, as only End waits for it
		g.start = leader.start
	}
	g.unwatch = sync.OnceFunc(func() { close(g.unwatched) })
	go g.watch()
	if own == nil && limits.Memory > 0 {
		g.watching.Go(func() { g.watchMemory(limits.Memory) })
	}
	return g, nil
}

// watch ends with the leader, which [Group.End] brings about.
func (g *Group) watch() {
	defer close(g.exited)
	for {
		err := unix.Waitid(unix.P_PID, g.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// Pid returns the number of the leader and of the process group.
func (g *Group) Pid() int { return g.cmd.Process.Pid }

// Exited is closed when the leader has exited; others of the group may live.
func (g *Group) Exited() <-chan struct{} { return g.exited }

// Members returns the living processes of the group, and collects those of its
// zombies that are ours to collect, the leader apart.
func (g *Group) Members() ([]int, error) {
	pids, _, err := g.look()
	return pids, err
}

// look returns the living processes of the group, and how many of its zombies
// have another parent than us: that one collects them, or they come to us when
// it ends.
func (g *Group) look() (pids []int, zombies int, err error) {
	table, err := scan()
	if err != nil {
		return nil, 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil, 0, nil
	}
	self, inside := os.Getpid(), g.cgroup.pids()
	for _, p := range table {
		ours := p.group == g.Pid() || g.seen[p.pid] == p.start || inside[p.pid] ||
			p.start >= g.start && g.marked(p)
		switch {
		case !p.zombie:
			if ours {
				g.seen[p.pid] = p.start
				pids = append(pids, p.pid)
			}
		case !ours || p.pid == g.Pid():
		case p.parent == self:
			// An adopted orphan that no other code waits for.
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
			delete(g.seen, p.pid)
		default:
			zombies++
		}
	}
	for pid := range g.seen {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			delete(g.seen, pid)
		}
	}
	return pids, zombies, nil
}

// marked reports whether a process has the group's badge, or if the group has no
// badge, its mark, which zombies have lost.
func (g *Group) marked(p process) bool {
	if g.badge != nil {
		return g.badge.on(p.pid)
	}
	return !p.zombie && mark(p.pid) == g.mark
}

// End sends SIGTERM to the whole group, waits until no process of it is left,
// and after grace or when ctx ends sends SIGKILL to the rest. Then all that they
// wrote is passed on, unless ctx ends meanwhile; what others write is not. It
// returns the leader's exit as [exec.Cmd.Wait] does, or [ErrSurvivors]. A second
// call returns the same.
func (g *Group) End(ctx context.Context, grace time.Duration) error {
	limit, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := end(limit, g.Members, g.signal)
	if err == nil {
		err = g.collect()
	}
	if err == nil {
		g.unwatch()
		g.watching.Wait()
		g.out.finish(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return g.err
	}
	if err != nil {
		return err
	}
	g.ended = true
	g.err = g.cmd.Wait()
	g.oom = g.starved || g.cgroup.outOfMemory()
	g.badge.release()
	_ = g.cgroup.remove() // it is empty; what is left of it is swept by the next server
	return g.err
}

// OutOfMemory reports, after [Group.End], whether members were killed because they used
// more memory together than their limit.
func (g *Group) OutOfMemory() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.oom
}

// signal sends a signal to the process group, all at once so that none of it
// can fork meanwhile, and to the members pids; SIGKILL also to all that are in
// the control group.
func (g *Group) signal(pids []int, sig syscall.Signal) {
	g.mu.Lock()
	if !g.ended { // otherwise the id may have been reused
		_ = syscall.Kill(-g.Pid(), sig)
		if sig == syscall.SIGKILL {
			_ = g.cgroup.kill() // the pids are killed in any case
		}
	}
	g.mu.Unlock()
	signal(pids, sig)
}

// collect waits for the zombies of the group. The table is not read in one
// moment: a zombie may have been read before its parent ended, and been adopted
// since. The wait is short, as the parent may be any process.
func (g *Group) collect() error {
	for look := firstLook; look < zombieLimit; look *= 2 {
		_, zombies, err := g.look()
		if err != nil {
			return fmt.Errorf("group: reading the process table: %w", err)
		}
		if zombies == 0 {
			break
		}
		<-time.After(look)
	}
	return nil
}
