package group

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// abi is how programs of one kind call the kernel: the numbers of the system
// calls that make a user namespace.
type abi struct{ arch, clone, unshare, clone3 uint32 }

// abis returns those that this machine runs, the usual one first. A system call
// of any other kind is refused.
func abis() []abi {
	switch runtime.GOARCH {
	case "amd64":
		return []abi{{unix.AUDIT_ARCH_X86_64, 56, 272, 435}, {unix.AUDIT_ARCH_I386, 120, 310, 435}}
	case "arm64":
		return []abi{{unix.AUDIT_ARCH_AARCH64, 220, 97, 435}, {unix.AUDIT_ARCH_ARM, 120, 337, 435}}
	}
	return nil
}

// forbidUserNamespaces makes the calling thread's children unable to make user
// namespaces, in which they would be root and reach more of the kernel
// (user_namespaces(7)). It needs no_new_privs. clone3(2) has its flags in
// memory, where a filter can't see them, so there is none: C libraries use
// clone(2) then. A kernel without seccomp(2) is left as it is.
func forbidUserNamespaces() error {
	filter := userNamespaceFilter()
	if filter == nil {
		return nil
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}                                           //nolint:gosec // some dozens
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))) //nolint:gosec // what the system call takes
	if errno != 0 && !errors.Is(errno, unix.ENOSYS) && !errors.Is(errno, unix.EINVAL) {
		return fmt.Errorf("forbidding user namespaces: %w", errno)
	}
	return nil
}

// Offsets in struct seccomp_data (seccomp(2)).
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetFlags  = 16 // the lower half of the first argument, on little-endian machines
)

// x32 marks the system calls of x86-64 with 32-bit pointers, which have the
// same architecture.
const x32 = 0x4000_0000

// userNamespaceFilter returns the filter; nil for an architecture that it does
// not know.
func userNamespaceFilter() []unix.SockFilter {
	all := abis()
	if all == nil {
		return nil
	}
	refuse := func(errno unix.Errno) unix.SockFilter {
		return statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(errno)) //nolint:gosec // an error number
	}
	program := []unix.SockFilter{load(offsetArch)}
	for _, a := range all {
		body := []unix.SockFilter{
			load(offsetNumber),
			jump(unix.BPF_JGE, x32, 2, 0),
			jump(unix.BPF_JEQ, a.clone3, 1, 0),
			jump(unix.BPF_JEQ, a.clone, 2, 1),
			refuse(unix.ENOSYS), // x32 and clone3
			jump(unix.BPF_JEQ, a.unshare, 0, 3),
			load(offsetFlags),
			jump(unix.BPF_JSET, unix.CLONE_NEWUSER, 0, 1),
			refuse(unix.EPERM),
			statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW),
		}
		program = append(program, jump(unix.BPF_JEQ, a.arch, 0, uint8(len(body)))) //nolint:gosec // ten
		program = append(program, body...)
	}
	return append(program, refuse(unix.ENOSYS))
}

func load(offset uint32) unix.SockFilter {
	return statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset)
}

func statement(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func jump(test uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, Jt: yes, Jf: no, K: k}
}
