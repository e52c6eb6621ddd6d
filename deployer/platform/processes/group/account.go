package group

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// AccountName is the name of the user that a command runs as, if its uid has none.
const AccountName = "app"

// NameOf returns the name of the user that a command runs as; as is nil for the
// server's.
func NameOf(as *syscall.Credential) string {
	uid := strconv.Itoa(os.Getuid())
	if as != nil {
		uid = strconv.FormatUint(uint64(as.Uid), 10)
	}
	if known, err := user.LookupId(uid); err == nil {
		return known.Username
	}
	return AccountName
}

// CheckAccounts fails if commands can't have an entry in the user database: it
// needs the privilege to mount files.
func CheckAccounts() error {
	return onThread(func() error { return provideAccount(account{uid: os.Getuid(), gid: os.Getgid(), home: "/"}) })
}

// account is an entry of the user database.
type account struct {
	uid, gid int
	home     string
}

// accountOf returns the account that a command lacks. ok is false if it runs as
// the server's user, or as one that the user database has.
func accountOf(cmd *exec.Cmd) (a account, ok bool) {
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Credential == nil {
		return account{}, false
	}
	as := cmd.SysProcAttr.Credential
	if _, err := user.LookupId(strconv.FormatUint(uint64(as.Uid), 10)); err == nil {
		return account{}, false
	}
	a = account{uid: int(as.Uid), gid: int(as.Gid), home: "/"}
	for _, variable := range cmd.Env {
		if home, found := strings.CutPrefix(variable, "HOME="); found && home != "" && !strings.ContainsAny(home, ":\n") {
			a.home = home
		}
	}
	return a, true
}

// provideAccount gives the calling thread, and so its children, a user database of
// their own that has an account too: in a mount namespace of the thread, other files
// are mounted over /etc/passwd and /etc/group. So nothing is written to those of the
// machine.
func provideAccount(a account) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("group: making a mount namespace: %w", err)
	}
	// What is unmounted elsewhere is unmounted here, but not the reverse.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("group: detaching the mount namespace: %w", err)
	}
	// The files are in a file system of their own, as that of the machine may be
	// read-only for the server; they remain when it is detached.
	dir := os.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("group: mounting a file system for a user database: %w", err)
	}
	err := cmp.Or(
		mountOver("/etc/passwd", dir, fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", AccountName, a.uid, a.gid, a.home)),
		mountOver("/etc/group", dir, fmt.Sprintf("%s:x:%d:\n", AccountName, a.gid)))
	if detached := unix.Unmount(dir, unix.MNT_DETACH); detached != nil {
		err = errors.Join(err, fmt.Errorf("group: detaching the file system of a user database: %w", detached))
	}
	return err
}

// mountOver mounts a file of a folder over another: a line, and what the other has.
func mountOver(path, dir, line string) error {
	before, err := os.ReadFile(path) //nolint:gosec // of the user database
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("group: reading the user database: %w", err)
	}
	file := filepath.Join(dir, filepath.Base(path))
	err = os.WriteFile(file, append([]byte(line), before...), 0o600) //nolint:gosec // in our own file system
	if err == nil {
		err = os.Chmod(file, 0o644) //nolint:gosec // everybody reads it
	}
	if err != nil {
		return fmt.Errorf("group: writing a user database: %w", err)
	}
	if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("group: mounting a user database: %w", err)
	}
	return nil
}
