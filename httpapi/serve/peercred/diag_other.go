//go:build !linux

package peercred

import (
	"errors"
	"net/netip"
)

// Owner fails with [errors.ErrUnsupported]: only Linux can be asked.
func Owner(_, _ netip.AddrPort) (Socket, error) { return Socket{}, errors.ErrUnsupported }

// Listeners fails with [errors.ErrUnsupported]: only Linux can be asked.
func Listeners(uint16) ([]Socket, error) { return nil, errors.ErrUnsupported }
