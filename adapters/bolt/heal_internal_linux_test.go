package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// disk hands out the store's file, and may break under it: then no write to the
// file succeeds, nor opening it for that.
type disk struct {
	broken atomic.Bool
	file   *os.File
}

func (d *disk) open(path string, flags int, mode os.FileMode) (*os.File, error) {
	if d.broken.Load() {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.EIO}
	}
	file, err := os.OpenFile(path, flags, mode) //nolint:gosec // the test's own
	d.file = file
	return file, err
}

// broke has the file that is open take no write any more, once nobody writes.
func (d *disk) broke(t *testing.T) {
	t.Helper()
	synctest.Wait() // or whoever writes would close the file meanwhile
	d.broken.Store(true)
	reading, err := os.Open(d.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close() //nolint:errcheck // only read
	if err := syscall.Dup3(int(reading.Fd()), int(d.file.Fd()), syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
}

// A disk that fails for a while is waited for: what was on it is there, what it
// did not take is not, and claims that were at work go on.
func TestDiskThatFailsForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s := New(Options{Path: filepath.Join(t.TempDir(), "store.db")})
		s.openFile = d.open
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		accept := func(id string) error {
			_, _, err := s.Accept(t.Context(), deploy.Acceptance{
				Entry: core.Entry{ID: id, User: "u", Status: core.StatusPending, Steps: []core.Step{}}, Place: &deploy.Place{Lane: id},
			})
			return err
		}
		if err := accept("before"); err != nil {
			t.Fatal(err)
		}
		claim, found, _, err := s.Claim(t.Context(), time.Hour)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		d.broke(t)
		if err := accept("lost"); err == nil {
			t.Error("what the disk did not take was acknowledged")
		}
		for range 3 {
			<-time.After(time.Minute)
			if err := s.Check(t.Context()); err == nil {
				t.Error("it says that all is well")
			}
			if err := accept("refused"); err == nil {
				t.Error("it writes on")
			}
		}
		d.broken.Store(false)
		// Not at once where another test has just forked: until that is a program
		// of its own, it holds the lock of our file, too.
		for err := s.Check(t.Context()); err != nil; err = s.Check(t.Context()) {
			if t.Context().Err() != nil {
				t.Fatalf("it does not write again: %v", err)
			}
			<-time.After(longestPause)
			synctest.Wait()
		}
		if _, err := s.Find(t.Context(), "lost"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("what was not acknowledged is there: %v", err)
		}
		if err := accept("after"); err != nil {
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

// A store may be stopped while it waits for its disk.
func TestStopWhileTheDiskFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s := New(Options{Path: filepath.Join(t.TempDir(), "store.db")})
		s.openFile = d.open
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.broke(t)
		if err := s.update(t.Context(), put("x")); err == nil {
			t.Error("it was acknowledged")
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
