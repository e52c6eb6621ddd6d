//go:build unix

package httpapi

import (
	"errors"
	"syscall"
)

// canTryWrite says that tryWriter works on this system.
const canTryWrite = true

// tryWriter writes to connections as much as they accept at once. It is for one
// goroutine.
type tryWriter struct {
	text  []byte
	n     int
	err   error
	write func(fd uintptr) bool // made once, as each func costs an allocation
}

func newTryWriter() *tryWriter {
	w := &tryWriter{}
	w.write = func(fd uintptr) bool {
		for {
			w.n, w.err = syscall.Write(int(fd), w.text)
			if w.err != syscall.EINTR { //nolint:errorlint // a system call returns this very value
				return true // also if it would have to wait
			}
		}
	}
	return w
}

// try returns how many bytes of text were written; an error says that the
// connection is broken.
func (w *tryWriter) try(conn syscall.RawConn, text []byte) (n int, err error) {
	w.text = text
	err = conn.Write(w.write)
	w.text = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(w.err, syscall.EAGAIN):
		return 0, nil
	case w.err != nil:
		return 0, w.err
	}
	return w.n, nil
}
