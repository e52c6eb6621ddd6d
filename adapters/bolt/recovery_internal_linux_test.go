package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// disk opens the store's file and can be made full: then every write to it fails.
type disk struct {
	mu   sync.Mutex
	full bool
	file *os.File
}

func (d *disk) open(path string, flags int, mode os.FileMode) (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		if _, err := os.Stat(path); err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOSPC}
		}
		flags = os.O_RDONLY
	}
	file, err := os.OpenFile(path, flags, mode) //nolint:gosec // the test's own
	d.file = file
	return file, err
}

// fill makes the disk full. There must be no writes meanwhile.
func (d *disk) fill(t *testing.T) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = true
	if d.file == nil {
		return
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close() //nolint:errcheck // nothing is written to it
	if err := syscall.Dup3(int(full.Fd()), int(d.file.Fd()), syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
}

// makeRoom ends fill.
func (d *disk) makeRoom() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = false
}

// onDisk is a store on a disk, with its log.
func onDisk(t *testing.T, d *disk, path string) (*Store, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s := New(Options{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.openFile = d.open
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, &log
}

func acceptOne(t *testing.T, s *Store, id string) error {
	t.Helper()
	_, _, err := s.Accept(t.Context(), deploy.Acceptance{
		Entry: core.Entry{ID: id, User: "u", Status: core.StatusPending, Steps: []core.Step{}}, Place: &deploy.Place{Lane: id},
	})
	return err
}

// untilItWrites waits until the store writes again. That may take a while: if
// another test has just forked, the child has the lock of the file until it calls
// exec.
func untilItWrites(t *testing.T, s *Store) {
	t.Helper()
	for err := s.Check(t.Context()); err != nil; err = s.Check(t.Context()) {
		if t.Context().Err() != nil {
			t.Fatalf("the store does not recover: %v", err)
		}
		<-time.After(longestPause)
		synctest.Wait()
	}
}

// wantLog checks that each text is logged once.
func wantLog(t *testing.T, log *bytes.Buffer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if n := strings.Count(log.String(), text); n != 1 {
			t.Errorf("%q was logged %d times:\n%s", text, n, log)
		}
	}
}

const logBegins, logEnds = "the store can't be written; deliveries are refused until it can", "the store can be written again"

// A disk becomes full and then has room again: what was acknowledged is there, what
// failed is not, and claims remain valid.
func TestDiskIsFullTemporarily(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, log := onDisk(t, d, filepath.Join(t.TempDir(), "store.db"))
		if err := acceptOne(t, s, "before"); err != nil {
			t.Fatal(err)
		}
		claim, found, _, err := s.Claim(t.Context(), time.Hour)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		d.fill(t)
		if err := acceptOne(t, s, "lost"); err == nil {
			t.Error("no error for a write")
		}
		for i := range 3 {
			<-time.After(40 * time.Second)
			if err := s.Check(t.Context()); err == nil {
				t.Error("Check returned no error")
			}
			if err := acceptOne(t, s, fmt.Sprint("refused", i)); err == nil {
				t.Error("no error for a write")
			}
			if _, err := s.Find(t.Context(), "before"); err != nil {
				t.Errorf("reading failed: %v", err)
			}
		}
		d.makeRoom()
		untilItWrites(t, s)
		wantLog(t, log, logBegins, logEnds, "failed_calls=3")
		if _, err := s.Find(t.Context(), "lost"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("the refused entry is there: %v", err)
		}
		if err := acceptOne(t, s, "after"); err != nil {
			t.Error(err)
		}
		if _, err := s.Renew(t.Context(), claim, time.Hour); err != nil {
			t.Errorf("the claim was lost: %v", err)
		}
		if next, _, _, err := s.Claim(t.Context(), time.Hour); err != nil || next.Change.Entry.ID != "after" {
			t.Errorf("claimed %q, %v", next.Change.Entry.ID, err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A store starts on a full disk: it can be read, and written as soon as there is
// room.
func TestStartOnFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "store.db")
		d := &disk{}
		s, _ := onDisk(t, d, path)
		if err := acceptOne(t, s, "before"); err != nil {
			t.Fatal(err)
		}
		if _, found, _, err := s.Claim(t.Context(), time.Hour); err != nil || !found {
			t.Fatal(found, err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.full = true
		s, log := onDisk(t, d, path)
		if err := s.Check(t.Context()); err == nil {
			t.Error("Check returned no error")
		}
		if err := acceptOne(t, s, "refused"); err == nil {
			t.Error("no error for a write")
		}
		if c, err := s.Find(t.Context(), "before"); err != nil || c.Entry.Attempts != 1 {
			t.Errorf("reading failed: %+v, %v", c, err)
		}
		if page, total, err := s.Entries(t.Context(), "u", "", 0, 10); err != nil || len(page) != 1 || total != 1 {
			t.Errorf("reading failed: %d of %d, %v", len(page), total, err)
		}
		if all, err := s.Changes(t.Context(), "u", core.Seq{}, 10); err != nil || len(all) != 2 {
			t.Errorf("reading failed: %d changes, %v", len(all), err)
		}
		d.makeRoom()
		untilItWrites(t, s)
		wantLog(t, log, logBegins, logEnds)
		if err := acceptOne(t, s, "after"); err != nil {
			t.Error(err)
		}
		// An entry that the previous process had claimed can be claimed at once.
		if c, found, _, err := s.Claim(t.Context(), time.Hour); err != nil || !found || !c.Lost || c.Change.Entry.ID != "before" {
			t.Errorf("claimed %q, %t, %v", c.Change.Entry.ID, found, err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A new store on a full disk creates its file as soon as there is room.
func TestNewStoreOnFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "store.db")
		d := &disk{full: true}
		s, log := onDisk(t, d, path)
		if err := acceptOne(t, s, "refused"); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v, want an error of a full disk", err)
		}
		if _, err := s.Find(t.Context(), "refused"); err == nil || errors.Is(err, core.ErrNotFound) {
			t.Errorf("got %v, want an error of reading", err)
		}
		if err := s.Clean(t.Context()); err == nil {
			t.Error("Clean returned no error")
		}
		d.makeRoom()
		untilItWrites(t, s)
		wantLog(t, log, logBegins, logEnds)
		if err := acceptOne(t, s, "after"); err != nil {
			t.Error(err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A store may be stopped while its disk is full.
func TestStopWhileDiskIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, _ := onDisk(t, d, filepath.Join(t.TempDir(), "store.db"))
		d.fill(t)
		if err := s.update(t.Context(), put("x")); err == nil {
			t.Error("no error for a write")
		}
		<-time.After(time.Minute)
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.view(t.Context(), func(table) error { return nil }); !errors.Is(err, errClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// A new file that could not be completed because the disk was full is removed.
func TestIncompleteFileIsRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := New(Options{Path: path})
	s.openFile = func(path string, _ int, mode os.FileMode) (*os.File, error) {
		if err := os.WriteFile(path, []byte("begun"), mode); err != nil {
			return nil, err
		}
		return nil, &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	}
	if err := s.open(); !full(err) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}
