//go:build unix

package sockets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// openFile returns an inherited file, which child processes do not inherit again.
func openFile(number int, name string) *os.File {
	syscall.CloseOnExec(number)
	return os.NewFile(uintptr(number), name) //nolint:gosec // a descriptor
}

// duplicate returns another file of a socket. [net.TCPListener.File] would make the
// socket blocking for the listener too: an Accept that waits in the kernel takes one
// more connection after the listener was closed.
func duplicate(one socket) (*os.File, error) {
	raw, err := one.listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	var file *os.File
	controlErr := raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		var number int
		if number, err = syscall.Dup(int(fd)); err == nil { //nolint:gosec // a descriptor
			syscall.CloseOnExec(number)
			file = os.NewFile(uintptr(number), one.name) //nolint:gosec // a descriptor
		}
	})
	return file, errors.Join(err, controlErr)
}

// Succeed starts a successor of this process: the program, as it is installed now,
// with the same arguments, environment and sockets. It returns when that is
// prepared, and waits for the end of this process. If it ends before, this process
// must go on. ctx is only used by Succeed itself.
func (s *Sockets) Succeed(ctx context.Context, program string, args, environ []string) error {
	if s.notify.path != "" || os.Getpid() == 1 {
		return errors.New("sockets: a service manager replaces this process: restart the service")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []*os.File
	var names []string
	defer func() {
		for _, file := range files {
			_ = file.Close() // the successor has its own
		}
	}()
	for _, one := range s.open {
		file, err := duplicate(one)
		if errors.Is(err, net.ErrClosed) {
			continue
		}
		if err != nil {
			return fmt.Errorf("sockets: %s: %w", one.name, err)
		}
		files, names = append(files, file), append(names, one.name)
	}
	before, life, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("sockets: %w", err)
	}
	prepared, prepares, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("sockets: %w", err), before.Close(), life.Close())
	}
	defer prepared.Close()                //nolint:errcheck // only read
	cmd := exec.Command(program, args...) //nolint:gosec,noctx // this program, which outlives this process
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(environ,
		varFiles+"="+strconv.Itoa(len(files)), varNames+"="+strings.Join(names, ":"), varSuccessor+"="+strconv.Itoa(firstFile+len(files)))
	files = append(files, before, prepares)
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("sockets: starting the successor: %w", err), life.Close())
	}
	_ = prepares.Close() // so that the end of the successor's is noticed
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	if said, _ := io.ReadAll(prepared); string(said) != preparedMessage { // that it ended is enough
		return errors.Join(fmt.Errorf("sockets: the successor ended: %w", <-exited), ctx.Err(), life.Close())
	}
	s.life = life // closed by the end of this process
	return nil
}
