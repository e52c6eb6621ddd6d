//go:build unix

package backup

import (
	"io/fs"
	"syscall"
)

// inode identifies a file that may have several names.
type inode struct{ device, number uint64 }

// inodeOf returns the inode of a file, and whether it has several names.
func inodeOf(info fs.FileInfo) (inode, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink < 2 {
		return inode{}, false
	}
	return inode{uint64(stat.Dev), stat.Ino}, true //nolint:gosec,unconvert // int32 on darwin; it only identifies
}
