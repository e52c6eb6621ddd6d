package processes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Limits of the log of an app on the disk: the current file and its predecessors,
// of which log.1 is the newest.
const (
	journalFile = 10 << 20
	journalKept = 5 // files
)

// journal is an app's log on the disk, with one JSON object per line.
type journal struct {
	dir   string
	limit int64 // bytes of a file

	mu     sync.Mutex
	file   *os.File // nil until something is written
	size   int64
	broken bool // the last write failed in the middle of a line
	lost   int  // lines that could not be written
}

func (j *journal) path(n int) string {
	if n == 0 {
		return filepath.Join(j.dir, "log")
	}
	return filepath.Join(j.dir, fmt.Sprintf("log.%d", n))
}

// append writes lines. Lines that can't be written are dropped, and their number
// is logged before the next line that can: a full disk must not affect the app.
func (j *journal) append(lines ...runner.Line) {
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

func (j *journal) write(text []byte) error {
	if j.file != nil && j.size+int64(len(text)) > j.limit && j.size > 0 {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	if j.file == nil {
		if err := os.MkdirAll(j.dir, 0o700); err != nil {
			return err
		}
		file, err := os.OpenFile(j.path(0), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		info, err := file.Stat()
		if err != nil {
			return errors.Join(err, file.Close())
		}
		j.file, j.size = file, info.Size()
		// A server that was killed may have left half a line.
		j.broken = j.size > 0
	}
	if j.broken {
		text = append([]byte{'\n'}, text...)
	}
	n, err := j.file.Write(text)
	j.size += int64(n)
	j.broken = err != nil
	return err
}

func (j *journal) rotate() error {
	err := j.file.Close()
	j.file = nil
	for n := journalKept - 1; n > 0; n-- {
		if renameErr := os.Rename(j.path(n-1), j.path(n)); renameErr != nil && !errors.Is(renameErr, os.ErrNotExist) {
			err = errors.Join(err, renameErr)
		}
	}
	return err
}

// close closes the file; a later append reopens it.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
