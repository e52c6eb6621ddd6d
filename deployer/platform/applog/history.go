package applog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// maxHistory bounds the text that one call returns, in bytes.
const maxHistory = 8 << 20

// Last returns the last rows lines between from and until, oldest first; a zero
// time means no bound. It does not block writers.
func (j *Journal) Last(from, until time.Time, rows int) ([]runner.Line, error) {
	files, err := j.files()
	defer func() {
		for _, file := range files {
			_ = file.Close() // only read
		}
	}()
	if err != nil {
		return nil, fmt.Errorf("applog: opening the log: %w", err)
	}
	var lines []runner.Line
	size := 0
	for _, file := range files {
		more, err := backwards(file, func(text []byte) bool {
			if len(lines) >= rows || size >= maxHistory {
				return false
			}
			var line runner.Line
			if json.Unmarshal(text, &line) != nil || !until.IsZero() && line.Time.After(until) {
				return true
			}
			if !from.IsZero() && line.Time.Before(from) {
				return false
			}
			lines = append(lines, line)
			size += len(line.Text)
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("applog: reading the log: %w", err)
		}
		if !more {
			break
		}
	}
	slices.Reverse(lines)
	return lines, nil
}

// files opens the files of the log, newest first. A rotation does not affect open
// files.
func (j *Journal) files() (files []*os.File, err error) {
	lock, err := os.Open(j.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close() //nolint:errcheck // only read
	if err := flock(lock, syscall.LOCK_SH); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, flock(lock, syscall.LOCK_UN)) }()
	for n := range journalKept {
		file, err := os.Open(j.path(n))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return files, err
		}
		files = append(files, file)
	}
	return files, nil
}

// backwards calls yield with the lines of file from the last to the first. It
// returns false if yield does, which stops it.
func backwards(file *os.File, yield func([]byte) bool) (bool, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	chunk := make([]byte, 64<<10)
	var rest []byte // the end of a line whose beginning is not read yet
	for end > 0 {
		n := min(end, int64(len(chunk)))
		end -= n
		if _, err := file.ReadAt(chunk[:n], end); err != nil {
			return false, err
		}
		text := append(bytes.Clone(chunk[:n]), rest...)
		for {
			i := bytes.LastIndexByte(text, '\n')
			if i < 0 {
				break
			}
			if line := text[i+1:]; len(line) > 0 && !yield(line) {
				return false, nil
			}
			text = text[:i]
		}
		rest = text
	}
	return len(rest) == 0 || yield(rest), nil
}
