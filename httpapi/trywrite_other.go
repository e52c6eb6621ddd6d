//go:build !unix

package httpapi

import (
	"errors"
	"syscall"
)

// canTryWrite says that tryWriter works on this system.
const canTryWrite = false

type tryWriter struct{}

func newTryWriter() *tryWriter { return &tryWriter{} }

func (*tryWriter) try(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
