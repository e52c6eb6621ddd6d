package applog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Limits of the log of an app on the disk: the current file and its predecessors,
// of which log.1 is the newest.
const (
	journalFile = 10 << 20
	journalKept = 5 // files
)

// Journal is an app's log on the disk, with one JSON object per line. The server
// and the keepers of the app's drones write to it, one at a time.
type Journal struct {
	dir   string
	limit int64 // bytes of a file

	mu   sync.Mutex
	lock *os.File // the folder, whose lock a writer holds; nil until something is written
	file *os.File // likewise
	lost int      // lines that could not be written
}

// New returns the log in a folder, which need not exist yet.
func New(dir string) *Journal { return &Journal{dir: dir, limit: journalFile} }

// Dir returns the folder of its files.
func (j *Journal) Dir() string { return j.dir }

func (j *Journal) path(n int) string {
	if n == 0 {
		return filepath.Join(j.dir, "log")
	}
	return filepath.Join(j.dir, fmt.Sprintf("log.%d", n))
}

// Append writes lines. Lines that can't be written are dropped, and their number
// is logged before the next line that can: a full disk must not affect the app.
func (j *Journal) Append(lines ...runner.Line) {
	if len(lines) == 0 {
		return
	}
	var text []byte
	for _, line := range lines {
		text = appendLine(text, line)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lost > 0 {
		text = append(appendLine(nil, runner.Line{
			Time: lines[0].Time, Stream: runner.Platform, Text: fmt.Sprintf("%d lines dropped, as they could not be written", j.lost),
		}), text...)
	}
	err := j.write(text)
	if err != nil {
		// The disk may be full: remove the old files.
		for n := journalKept - 1; n > 0; n-- {
			_ = os.Remove(j.path(n))
		}
		err = j.write(text)
	}
	if err != nil {
		j.lost += len(lines)
		return
	}
	j.lost = 0
}

func appendLine(text []byte, line runner.Line) []byte {
	encoded, err := json.Marshal(line)
	if err != nil { // only for a year beyond 9999
		return text
	}
	return append(append(text, encoded...), '\n')
}

func (j *Journal) write(text []byte) (err error) {
	if err := j.open(); err != nil {
		return err
	}
	if err := flock(j.lock, syscall.LOCK_EX); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flock(j.lock, syscall.LOCK_UN)) }()
	size, err := j.current()
	if err != nil {
		return err
	}
	if size > 0 && size+int64(len(text)) > j.limit {
		if err := j.rotate(); err != nil {
			return err
		}
		if size, err = j.current(); err != nil {
			return err
		}
	}
	if size > 0 {
		// A writer that was killed, or had no space, may have left half a line.
		last := make([]byte, 1)
		if _, err := j.file.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	_, err = j.file.Write(text)
	return err
}

// open opens the folder, if it is not open.
func (j *Journal) open() error {
	if j.lock != nil {
		return nil
	}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	var err error
	j.lock, err = os.Open(j.dir)
	return err
}

// current opens the current file, unless it is open and no other writer has
// rotated it since, and returns its size. The lock must be held.
func (j *Journal) current() (size int64, err error) {
	if j.file != nil {
		ours, err := j.file.Stat()
		if err != nil {
			return 0, err
		}
		if named, err := os.Stat(j.path(0)); err == nil && os.SameFile(ours, named) {
			return ours.Size(), nil
		}
		if err := j.closeFile(); err != nil {
			return 0, err
		}
	}
	file, err := os.OpenFile(j.path(0), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, errors.Join(err, file.Close())
	}
	j.file = file
	return info.Size(), nil
}

// rotate renames the files. The lock must be held.
func (j *Journal) rotate() error {
	err := j.closeFile()
	for n := journalKept - 1; n > 0; n-- {
		if renameErr := os.Rename(j.path(n-1), j.path(n)); renameErr != nil && !errors.Is(renameErr, os.ErrNotExist) {
			err = errors.Join(err, renameErr)
		}
	}
	return err
}

func (j *Journal) closeFile() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// Close closes the files; a later Append reopens them.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.closeFile()
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
		j.lock = nil
	}
	return err
}

// flock is flock(2).
func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how) //nolint:gosec // a descriptor fits
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
