//go:build linux || darwin

package doctor

import "golang.org/x/sys/unix"

// space returns the free and total bytes of the file system of a folder.
func space(dir string) (free, total uint64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, false
	}
	size := uint64(s.Bsize) //nolint:gosec // a block is not negative
	return s.Bavail * size, s.Blocks * size, true
}
