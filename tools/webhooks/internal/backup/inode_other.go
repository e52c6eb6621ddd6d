//go:build !unix

package backup

import "io/fs"

// inode identifies a file that may have several names.
type inode struct{}

// inodeOf reports that a file has one name.
func inodeOf(fs.FileInfo) (inode, bool) { return inode{}, false }
