package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// answerTimeout is the time limit for an answer that does not depend on the drone.
const answerTimeout = time.Minute

// retryAfter is the pause before a keeper that does not answer is asked again.
const retryAfter = 20 * time.Millisecond

// ErrGone means that a keeper has ended, by itself or because it was killed.
var ErrGone = errors.New("keeper: it has ended")

// Client is a server's side of a keeper, and so of its drone.
type Client struct {
	dir   string
	mark  string
	badge uint32 // 0 for none

	release func() // of the badge

	exited chan struct{} // closed when the drone's first process has exited
	left   chan struct{} // closed when the keeper has ended, or the client was detached

	mu       sync.Mutex
	first    Status
	last     *Status // of the end; nil before
	gone     bool    // the keeper was killed
	conn     net.Conn
	detached bool
}

// Options are what [Start] takes.
type Options struct {
	Dir     string   // the parent of the keepers' folders
	Command []string // runs [Main]
	Spec    Spec
}

func newClient(dir, mark string) *Client {
	c := &Client{dir: filepath.Join(dir, mark), mark: mark, exited: make(chan struct{}), left: make(chan struct{})}
	c.release = sync.OnceFunc(func() {
		if c.badge != 0 {
			group.ReleaseBadge(c.badge)
		}
	})
	return c
}

// Start starts a keeper with its drone. A badge is reserved if the drone has a
// user.
func Start(ctx context.Context, o Options) (*Client, error) {
	c := newClient(o.Dir, o.Spec.Mark)
	if as := o.Spec.User; as != nil {
		var err error
		if as.Badge, err = group.ReserveBadge(); err != nil {
			return nil, err
		}
		c.badge = as.Badge
	}
	err := c.start(ctx, o)
	if err != nil {
		c.release()
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	go c.attach(context.WithoutCancel(ctx))
	return c, nil
}

func (c *Client) start(ctx context.Context, o Options) error {
	spec, err := json.Marshal(o.Spec)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return err
	}
	folder, err := os.Open(c.dir)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // the keeper has its own
	if err := lock(folder); err != nil {
		return fmt.Errorf("keeper: locking its folder: %w", err)
	}
	answer, answered, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answer.Close() //nolint:errcheck // only read
	// A file, as a pipe of the server would end with it.
	trouble, err := os.OpenFile(filepath.Join(c.dir, "stderr"), os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return errors.Join(err, answered.Close())
	}
	defer trouble.Close()                               //nolint:errcheck // the keeper has its own
	cmd := exec.Command(o.Command[0], o.Command[1:]...) //nolint:gosec,noctx // the server's own program, which outlives it
	cmd.Dir, cmd.Env = c.dir, environ()
	cmd.Stdin, cmd.Stderr, cmd.ExtraFiles = bytes.NewReader(spec), trouble, []*os.File{folder, answered}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = answered.Close() // the keeper has its own
	if err != nil {
		return fmt.Errorf("keeper: starting it: %w", err)
	}
	exited := make(chan struct{}) // later on, its end is seen by its connection
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	if deadline, ok := ctx.Deadline(); ok {
		_ = answer.SetReadDeadline(deadline)
	}
	if err := json.NewDecoder(answer).Decode(&c.first); err != nil {
		_ = cmd.Process.Kill() // it may have ended, after it had started the drone
		<-exited
		c.first.Cgroups = o.Spec.Cgroups
		said, _ := os.ReadFile(trouble.Name())
		err = fmt.Errorf("keeper: it did not start: %w: %s", err, strings.TrimSpace(string(said)))
		return errors.Join(err, c.endProcesses(ctx, 0))
	}
	if c.first.Error != "" {
		return errors.New(c.first.Error)
	}
	return nil
}

// environ returns the environment of a keeper: what its own temporary files need,
// and one thread for Go code, as there are many keepers.
func environ() []string {
	env := []string{"GOMAXPROCS=1"}
	for _, name := range []string{"TMPDIR", "GORACE", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// atOnce is how many keepers Find asks at the same time, as each takes open files.
const atOnce = 64

// Find returns the keepers in a folder, and removes the folders of those that have
// ended. Each has the time limit to answer, whether the others do or not: one that does
// not is a failure, and the others are returned.
func Find(ctx context.Context, dir string, limit time.Duration) (found []*Client, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("keeper: looking for keepers: %w", err)
	}
	found = make([]*Client, len(entries))
	failures := make([]error, len(entries))
	turn := ctxlock.New(atOnce)
	var asking sync.WaitGroup
	for i, entry := range entries {
		asking.Go(func() {
			c := newClient(dir, entry.Name())
			switch err := c.find(ctx, turn, limit); {
			case errors.Is(err, ErrGone):
				failures[i] = os.RemoveAll(c.dir)
			case err != nil:
				failures[i] = fmt.Errorf("keeper: %s: %w", c.dir, err)
			default:
				found[i] = c
				go c.attach(context.WithoutCancel(ctx))
			}
		})
	}
	asking.Wait()
	return slices.DeleteFunc(found, func(c *Client) bool { return c == nil }), errors.Join(failures...)
}

func (c *Client) find(ctx context.Context, turn ctxlock.Lock, limit time.Duration) (err error) {
	if err := turn.Acquire(ctx); err != nil {
		return err
	}
	defer turn.Release()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if c.first, err = c.persist(ctx, request{Do: doStatus}); err != nil {
		return err
	}
	if c.badge = c.first.Badge; c.badge != 0 {
		group.UseBadge(c.badge)
	}
	return nil
}

// alive reports whether the keeper lives: whether it has the lock of its folder.
func (c *Client) alive() bool {
	folder, err := os.Open(c.dir)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) // it is not known, such as if too many files are open
	}
	defer folder.Close() //nolint:errcheck // only locked
	return lock(folder) != nil
}

// dial connects to the keeper.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	folder, err := os.Open(c.dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close() //nolint:errcheck // only read
	return (&net.Dialer{}).DialContext(ctx, "unix", through(folder, socket))
}

// ask sends a request and returns the first answer.
func (c *Client) ask(ctx context.Context, r request) (Status, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return Status{}, err
	}
	defer conn.Close() //nolint:errcheck // it was read
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return Status{}, err
	}
	var s Status
	err = json.NewDecoder(conn).Decode(&s)
	return s, err
}

// persist is ask, until there is an answer, ctx ends, or the keeper has ended.
func (c *Client) persist(ctx context.Context, r request) (Status, error) {
	for {
		s, err := c.ask(ctx, r)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return s, fmt.Errorf("keeper: it does not answer: %w", err)
		case !c.alive():
			return s, ErrGone
		}
		pause := time.NewTimer(retryAfter)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// attach waits for the end of the drone, and then for that of the keeper.
func (c *Client) attach(ctx context.Context) {
	defer close(c.left)
	exited := sync.OnceFunc(func() { close(c.exited) })
	for {
		conn, err := c.dial(ctx)
		if err == nil {
			c.mu.Lock()
			c.conn = conn
			detached := c.detached
			c.mu.Unlock()
			if !detached {
				err = json.NewEncoder(conn).Encode(request{Do: doAttach})
				for answers := json.NewDecoder(conn); err == nil; {
					var s Status
					if err = answers.Decode(&s); err == nil && s.Exited {
						exited()
					}
				}
			}
			_ = conn.Close() // it is of no use any more
		}
		c.mu.Lock()
		detached := c.detached
		c.mu.Unlock()
		if detached {
			return
		}
		if !c.alive() {
			c.mu.Lock()
			c.gone = c.last == nil
			c.mu.Unlock()
			exited()
			return
		}
		<-time.After(retryAfter) // it is about to end, or busy
	}
}

// Detach leaves the drone to its keeper. No other method may be called after it.
func (c *Client) Detach() {
	c.mu.Lock()
	c.detached = true
	if c.conn != nil {
		_ = c.conn.Close() // ends attach
	}
	c.mu.Unlock()
	<-c.left
}

// Mark returns the mark of the drone.
func (c *Client) Mark() string { return c.mark }

// Found returns the status of the keeper when it was started or found.
func (c *Client) Found() Status { return c.first }

// Pid returns the number of the drone's first process.
func (c *Client) Pid() int { return c.first.Pid }

// Exited is closed when the drone's first process has exited, or the keeper was
// killed.
func (c *Client) Exited() <-chan struct{} { return c.exited }

// Orphaned reports whether the drone goes on though its keeper was killed.
func (c *Client) Orphaned() bool {
	c.mu.Lock()
	orphaned := c.gone && c.last == nil
	c.mu.Unlock()
	if !orphaned {
		return false
	}
	pids, err := group.Find(c.mark)
	return err == nil && slices.Contains(pids, c.first.Pid)
}

// Ready notes the address of a drone that has become ready, for the next server.
func (c *Client) Ready(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := c.persist(ctx, request{Do: doReady, Addr: addr})
	return err
}

// Members returns the living processes of the drone.
func (c *Client) Members() ([]int, error) {
	c.mu.Lock()
	ended := c.last != nil
	c.mu.Unlock()
	if ended {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout) //nolint:forbidigo // the caller's has none
	defer cancel()
	s, err := c.persist(ctx, request{Do: doMembers})
	switch {
	case errors.Is(err, ErrGone):
		return group.Find(c.mark)
	case err != nil:
		return nil, err
	case s.Error != "":
		return nil, errors.New(s.Error)
	}
	return s.Members, nil
}

// End ends the drone, as [group.Group.End] does, and its keeper. It returns the
// drone's exit, as an [Exit] unless the code is 0, [ErrGone] if the keeper had been
// killed, or [group.ErrSurvivors]. A second call returns the same.
func (c *Client) End(ctx context.Context, grace time.Duration) error {
	if c.ended() {
		return c.exit()
	}
	if ctx.Err() != nil {
		grace = 0
	}
	life, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace+answerTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _, _ = c.persist(life, request{Do: doEnd}) })()
	s, err := c.persist(life, request{Do: doEnd, Grace: grace})
	if err == nil && s.Error != "" {
		return fmt.Errorf("%w: %s", group.ErrSurvivors, s.Error)
	}
	if err != nil {
		if err := c.endOrphans(ctx, grace); err != nil {
			return err
		}
	}
	<-c.left // with it, the keeper has ended
	c.mu.Lock()
	if c.last == nil {
		c.last, c.gone = &s, err != nil
	}
	c.mu.Unlock()
	c.release()
	return c.exit()
}

// endOrphans ends the drone of a keeper that was killed, or that does not answer.
func (c *Client) endOrphans(ctx context.Context, grace time.Duration) error {
	if c.alive() {
		_ = syscall.Kill(c.first.Keeper, syscall.SIGKILL) // it may have ended meanwhile
	}
	return c.endProcesses(ctx, grace)
}

// endProcesses ends the drone of a keeper that has ended, and removes what is left of
// both.
func (c *Client) endProcesses(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := group.EndAll(ctx, func() ([]int, error) { return group.Find(c.mark) }); err != nil {
		return err
	}
	return errors.Join(group.CgroupsAt(c.first.Cgroups).Sweep(c.mark, nil), os.RemoveAll(c.dir))
}

func (c *Client) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last != nil
}

// exit returns how the drone exited, after its end.
func (c *Client) exit() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return ErrGone
	case c.last.Wait != 0:
		return &Exit{syscall.WaitStatus(c.last.Wait)}
	}
	return nil
}

// OutOfMemory reports, after End, whether the drone exceeded the memory limit of
// its control group.
func (c *Client) OutOfMemory() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last != nil && c.last.OutOfMemory
}

// LastText returns the drone's last lines, after End.
func (c *Client) LastText() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return ""
	}
	return c.last.Tail
}

// Members returns the living processes of all these drones; those of a keeper
// that has ended are left out.
func Members(all []*Client) []int {
	var pids []int
	for _, c := range all {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout) //nolint:forbidigo // the caller's has none
		if s, err := c.persist(ctx, request{Do: doMembers}); err == nil {
			pids = slices.Concat(pids, s.Members)
		}
		cancel()
	}
	return pids
}
