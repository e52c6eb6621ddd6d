package bolt_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/adapters/bolt"
)

// file creates a file of bbolt that consists mostly of free pages.
func file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "some.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(f func(b *bbolt.Bucket) error) {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("kept"))
			if err != nil {
				return err
			}
			return f(b)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	write(func(b *bbolt.Bucket) error { return b.Put([]byte("large"), make([]byte, 1<<20)) })
	write(func(b *bbolt.Bucket) error { return b.Put([]byte("small"), []byte("value")) })
	write(func(b *bbolt.Bucket) error { return b.Delete([]byte("large")) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func value(t *testing.T, path string) string {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	var found []byte
	err = db.View(func(tx *bbolt.Tx) error {
		found = bytes.Clone(tx.Bucket([]byte("kept")).Get([]byte("small")))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(found)
}

func TestCopyFileTo(t *testing.T) {
	t.Parallel()
	path, to := file(t), filepath.Join(t.TempDir(), "copy.db")
	var copied bytes.Buffer
	var said int64
	begin := func(size int64) (io.Writer, error) {
		said = size
		return &copied, nil
	}
	if err := bolt.CopyFileTo(path, begin); err != nil || said == 0 || said != int64(copied.Len()) {
		t.Fatalf("got %d of %d bytes, %v", copied.Len(), said, err)
	}
	if err := os.WriteFile(to, copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := value(t, to); got != "value" {
		t.Errorf("the copy has %q", got)
	}
	missing := filepath.Join(t.TempDir(), "missing.db")
	if err := bolt.CopyFileTo(missing, begin); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a missing file: %v", err)
	}
}

func TestCompactFile(t *testing.T) {
	t.Parallel()
	path := file(t)
	before, after, err := bolt.CompactFile(path)
	if err != nil || before < 1<<20 || after >= 1<<20 {
		t.Fatalf("got %d and %d bytes, %v", before, after, err)
	}
	if got := value(t, path); got != "value" {
		t.Errorf("the file has %q", got)
	}
	if now, err := os.Stat(path); err != nil || now.Size() != after || now.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want %d bytes", now, err, after)
	}
}

func TestCheckFile(t *testing.T) {
	t.Parallel()
	path := file(t)
	if err := bolt.CheckFile(t.Context(), path); err != nil {
		t.Errorf("valid file: %v", err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := bolt.CheckFile(t.Context(), path); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("file in use: %v", err)
	}
	page := db.Info().PageSize
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// The first page after the two meta pages gets the wrong type.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 2 * page; at+page <= len(text); at += page {
		if bytes.Contains(text[at:at+page], []byte("small")) {
			text[at+8] ^= 0xff // the page's flags
		}
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := bolt.CheckFile(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged file: %v", err)
	}
}
