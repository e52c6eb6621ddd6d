package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// Files that a keeper inherits, besides its standard input, which has the [Spec].
const (
	folderFile = 3 // its folder, locked
	answerFile = 4 // receives the first [Status], when the drone has been started
)

// gcPercent is a low GOGC: a keeper allocates little, and there are many of them.
const gcPercent = 20

// requestTimeout is the time limit for the request of a connection.
const requestTimeout = 10 * time.Second

// collectEvery is the interval at which orphaned zombies are collected.
const collectEvery = 30 * time.Second

// Output takes the output of a drone.
type Output interface {
	// Pipes returns the write ends of the pipes for stdout and stderr, which the
	// caller closes.
	Pipes() (stdout, stderr *os.File, err error)
	// Close waits until all output is read.
	Close()
	// LastText returns the last lines.
	LastText() string
}

// Opener opens the output of a drone.
type Opener func(Spec) (Output, error)

// keeper is the process that keeps one drone.
type keeper struct {
	spec    Spec
	group   *group.Group
	out     Output
	folder  *os.File
	ended   chan struct{} // closed when the drone has ended and the keeper is to exit
	endOnce sync.Once
	calls   sync.WaitGroup // connections that are served

	mu       sync.Mutex
	ready    bool
	addr     string
	attached int         // servers
	orphan   *time.Timer // ends the drone; nil while there is a server
}

// Main is the keeper's process. It returns its exit code when its drone has ended
// and a server knows that. ctx is never canceled.
func Main(ctx context.Context, open Opener) int {
	if err := run(ctx, open); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "webhooks keeper:", err) // the server reads that
		return 1
	}
	return 0
}

func run(ctx context.Context, open Opener) error {
	// The server may be gone when something is written to it, and signals from its
	// terminal are not for its apps.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	debug.SetGCPercent(gcPercent)
	_ = os.WriteFile("/proc/self/comm", []byte("webhooks-keeper"), 0) // for lists of processes
	syscall.CloseOnExec(folderFile)
	syscall.CloseOnExec(answerFile)
	folder, answer := os.NewFile(folderFile, "folder"), os.NewFile(answerFile, "answer")
	k := &keeper{folder: folder, ended: make(chan struct{})}
	if err := json.NewDecoder(os.Stdin).Decode(&k.spec); err != nil {
		return fmt.Errorf("reading what to run: %w", err) // the server was killed
	}
	_ = os.Stdin.Close() // read to its end
	listener, err := k.start(open)
	if err != nil {
		err = errors.Join(err, json.NewEncoder(answer).Encode(Status{Protocol: Protocol, Error: err.Error()}))
		return errors.Join(err, k.remove())
	}
	k.left()
	go k.serve(ctx, listener)
	_ = json.NewEncoder(answer).Encode(k.status()) // the server may have been killed meanwhile
	_ = answer.Close()
	collect := time.NewTicker(collectEvery)
	defer collect.Stop()
	for {
		select {
		case <-k.ended:
			err := listener.Close()
			k.calls.Wait()
			return errors.Join(err, k.remove())
		case <-terminated:
			k.endAlone(ctx)
		case <-collect.C:
			k.collect()
		}
	}
}

// start listens, and starts the drone.
func (k *keeper) start(open Opener) (net.Listener, error) {
	if err := group.Adopt(); err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: through(k.folder, socket), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	listener.SetUnlinkOnClose(false) // k.remove removes it
	if err := os.Chmod(through(k.folder, socket), 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if k.out, err = open(k.spec); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := k.startGroup(); err != nil {
		k.out.Close()
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func (k *keeper) startGroup() error {
	stdout, stderr, err := k.out.Pipes()
	if err != nil {
		return err
	}
	defer func() { _, _ = stdout.Close(), stderr.Close() }() // the drone has its own
	cmd := exec.Command(k.spec.Args[0], k.spec.Args[1:]...)  //nolint:gosec,noctx // running apps is what this is for; k.end ends it
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = k.spec.Dir, k.spec.Env, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if as := k.spec.User; as != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.UID, Gid: as.GID, Groups: []uint32{as.Badge}}
	}
	k.group, err = group.CgroupsAt(k.spec.Cgroups).Start(cmd, k.spec.Mark, k.spec.Limits)
	return err
}

// remove removes the keeper's folder.
func (k *keeper) remove() error {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", folderFile))
	if err != nil {
		return err
	}
	if filepath.Base(path) != k.spec.Mark {
		return nil // it has been removed
	}
	return os.RemoveAll(path)
}

func (k *keeper) collect() {
	_, _ = k.group.Members() // called for collecting the zombies only
	_ = group.Collect()      // tried again after the next tick
}

// endAlone ends the drone and the keeper without being asked by a server.
func (k *keeper) endAlone(ctx context.Context) {
	if err := k.group.End(ctx, k.spec.Grace); errors.Is(err, group.ErrSurvivors) {
		return
	}
	k.out.Close()
	k.endOnce.Do(func() { close(k.ended) })
}

func (k *keeper) status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{
		Protocol: Protocol, Keeper: os.Getpid(), Pid: k.group.Pid(), Label: k.spec.Label, Cgroups: k.spec.Cgroups, Addr: k.addr, Ready: k.ready,
	}
	if k.spec.User != nil {
		s.Badge = k.spec.User.Badge
	}
	select {
	case <-k.group.Exited():
		s.Exited = true
	default:
	}
	return s
}

// serve serves connections until the listener is closed.
func (k *keeper) serve(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-time.After(time.Second) // such as too many open files
			continue
		}
		k.calls.Go(func() { k.answer(ctx, conn) })
	}
}

// answer answers the request of one connection.
func (k *keeper) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close() //nolint:errcheck // the server sees it
	var r request
	_ = conn.SetReadDeadline(time.Now().Add(requestTimeout))
	if json.NewDecoder(conn).Decode(&r) != nil {
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	reply := func(s Status) { _ = json.NewEncoder(conn).Encode(s) } // the server may have been killed
	switch r.Do {
	case doStatus:
		reply(k.status())
	case doReady:
		k.mu.Lock()
		k.ready, k.addr = true, r.Addr
		k.mu.Unlock()
		reply(k.status())
	case doMembers:
		s := k.status()
		var err error
		if s.Members, err = k.group.Members(); err != nil {
			s.Error = err.Error()
		}
		reply(s)
	case doAttach:
		k.attach(conn, reply)
	case doEnd:
		reply(k.end(ctx, r.Grace))
	default:
		reply(Status{Protocol: Protocol, Error: fmt.Sprintf("unknown request %q", r.Do)})
	}
}

// attach tells a server when the drone has exited, as long as the server wants to
// know.
func (k *keeper) attach(conn net.Conn, reply func(Status)) {
	k.mu.Lock()
	k.attached++
	if k.orphan != nil {
		k.orphan.Stop()
		k.orphan = nil
	}
	k.mu.Unlock()
	defer k.detached()
	reply(k.status())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = conn.Read(make([]byte, 1)) // until the server closes it
	}()
	select {
	case <-k.group.Exited():
		reply(k.status())
	case <-gone:
		return
	case <-k.ended:
	}
	select {
	case <-gone:
	case <-k.ended: // the keeper's end closes the connection
	}
}

// detached is called when a server is gone.
func (k *keeper) detached() {
	k.mu.Lock()
	k.attached--
	k.mu.Unlock()
	k.left()
}

// left begins the time for which the drone goes on without a server, if there is
// none.
func (k *keeper) left() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.attached == 0 && k.orphan == nil && k.spec.Orphan > 0 {
		k.orphan = time.AfterFunc(k.spec.Orphan, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGTERM) }) // as an operator does
	}
}

// end ends the drone and the keeper, and returns the status of the drone. If
// processes survive, the keeper goes on.
func (k *keeper) end(ctx context.Context, grace time.Duration) Status {
	err := k.group.End(ctx, grace)
	s := k.status()
	if errors.Is(err, group.ErrSurvivors) {
		s.Error = err.Error()
		return s
	}
	k.out.Close()
	s.Exited, s.OutOfMemory, s.Tail = true, k.group.OutOfMemory(), k.out.LastText()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok {
			s.Wait = uint32(status)
		}
	}
	k.endOnce.Do(func() { close(k.ended) })
	return s
}
