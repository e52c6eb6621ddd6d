package group

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// The ids of groups(7) that badges are made of. No such group may exist.
const (
	firstBadge = 40_000
	maxBadges  = 10_000
)

// badge is what each process of a group has, and none can take off: a
// supplementary group id, which children inherit and which takes root to
// change. It needs a command that runs as another user than the server. A
// machine may have two servers, so that only both together tell a member.
type badge struct{ uid, gid uint32 }

// badges are those that groups of this program have.
var badges = struct { //nolint:gochecknoglobals // the kernel has one range for all
	sync.Mutex
	used map[uint32]bool
	last uint32
}{used: map[uint32]bool{}}

// pin gives cmd a badge; nil where it runs as the server's own user.
func pin(cmd *exec.Cmd) (*badge, error) {
	if cmd.SysProcAttr.Credential == nil {
		return nil, nil
	}
	as := *cmd.SysProcAttr.Credential // others may use that one
	badges.Lock()
	defer badges.Unlock()
	for range maxBadges {
		badges.last = (badges.last + 1) % maxBadges
		gid := firstBadge + badges.last
		if badges.used[gid] {
			continue
		}
		if _, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10)); err == nil {
			continue // whose files are nothing to cmd
		}
		badges.used[gid] = true
		as.Groups = append(slices.Clone(as.Groups), gid)
		cmd.SysProcAttr.Credential = &as
		return &badge{uid: as.Uid, gid: gid}, nil
	}
	return nil, errors.New("group: no group id is free")
}

// release lets another group have the badge; nobody may have it any more.
func (b *badge) release() {
	if b == nil {
		return
	}
	badges.Lock()
	defer badges.Unlock()
	delete(badges.used, b.gid)
}

// on reports whether a process has the badge.
func (b *badge) on(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status")) //nolint:gosec // a number in /proc
	if err != nil {
		return false
	}
	return fields(status, "Uid:")[b.uid] && fields(status, "Groups:")[b.gid]
}

// fields returns the numbers in a line of proc_pid_status(5).
func fields(status []byte, name string) map[uint32]bool {
	numbers := map[uint32]bool{}
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		for word := range bytes.FieldsSeq(rest) {
			if n, err := strconv.ParseUint(string(word), 10, 32); err == nil {
				numbers[uint32(n)] = true
			}
		}
	}
	return numbers
}
