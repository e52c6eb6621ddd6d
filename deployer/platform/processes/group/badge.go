package group

import (
	"bytes"
	"errors"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"sync"
)

// The range of group ids that are used as badges. Existing groups are skipped.
const (
	firstBadge = 40_000
	maxBadges  = 10_000
)

// badge is a supplementary group id that identifies the processes of a group:
// children inherit it, and only root can change it. It requires that the command
// runs as another user than the server. As another server on the machine may use
// the same gid, members are identified by uid and gid.
type badge struct{ uid, gid uint32 }

// badges are the badges in use by this program.
var badges = struct { //nolint:gochecknoglobals // the kernel has one range for all
	sync.Mutex
	used map[uint32]bool
	last uint32
}{used: map[uint32]bool{}}

// pin adds a badge to cmd, unless it has one by [ReserveBadge]. It returns nil if
// cmd runs as the server's user.
func pin(cmd *exec.Cmd) (*badge, error) {
	as := cmd.SysProcAttr.Credential
	if as == nil {
		return nil, nil
	}
	for _, gid := range as.Groups {
		if gid >= firstBadge && gid < firstBadge+maxBadges {
			return &badge{uid: as.Uid, gid: gid}, nil
		}
	}
	gid, err := ReserveBadge()
	if err != nil {
		return nil, err
	}
	own := *as // the original may be shared
	own.Groups = append(slices.Clone(as.Groups), gid)
	cmd.SysProcAttr.Credential = &own
	return &badge{uid: as.Uid, gid: gid}, nil
}

// ReserveBadge returns a group id that no other command has as its badge. A
// command that has it among the groups of its credential is started with it, even
// by another process.
func ReserveBadge() (gid uint32, err error) {
	badges.Lock()
	defer badges.Unlock()
	for range maxBadges {
		badges.last = (badges.last + 1) % maxBadges
		gid := firstBadge + badges.last
		if badges.used[gid] {
			continue
		}
		if _, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10)); err == nil {
			continue // cmd must not have access to the group's files
		}
		badges.used[gid] = true
		return gid, nil
	}
	return 0, errors.New("group: no group id is free")
}

// UseBadge reserves the badge of a command that an earlier server started.
func UseBadge(gid uint32) {
	badges.Lock()
	defer badges.Unlock()
	badges.used[gid] = true
}

// ReleaseBadge makes a badge available again; no process may have it any more.
func ReleaseBadge(gid uint32) {
	badges.Lock()
	defer badges.Unlock()
	delete(badges.used, gid)
}

// release makes the badge available again; no process may have it any more.
func (b *badge) release() {
	if b != nil {
		ReleaseBadge(b.gid)
	}
}

// on reports whether a process has the badge.
func (b *badge) on(pid int) bool {
	status, err := readProc(pid, "status")
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
