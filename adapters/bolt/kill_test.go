package bolt_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// storeOfChild names the file that this process, as a child, writes to until it is
// killed.
const storeOfChild = "WEBHOOKS_TEST_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(storeOfChild); path != "" {
		if err := writeForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(leftovers.Run(m))
}

// writers is the number of concurrent writers; each has its own user.
const writers = 8

// writeForever accepts, claims and saves entries, and prints a line "ID REVISION"
// after each acknowledged write.
func writeForever(path string) error {
	ctx := context.Background()
	s := bolt.New(bolt.Options{Path: path})
	if err := s.Start(ctx); err != nil {
		return err
	}
	var out sync.Mutex
	acknowledge := func(c core.Change) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(c.Entry.ID, c.Entry.Revision) //nolint:forbidigo // the parent reads it
	}
	failed := make(chan error, 1)
	for writer := range writers {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%08x%08x%016x", os.Getpid(), writer, i)
				c, _, err := s.Accept(ctx, deploy.Acceptance{
					Entry: entry(fmt.Sprintf("user-%d", writer), id), Payload: []byte(`{"id":"` + id + `"}`), Key: id,
					Place: &deploy.Place{Lane: id},
				})
				if err == nil {
					acknowledge(c)
					c.Entry.Reason = "saved"
					if c, err = s.Update(ctx, c.Entry, 0); err == nil {
						acknowledge(c)
					}
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func entry(user, id string) core.Entry {
	now := time.Now().UTC()
	return core.Entry{
		ID: id, User: user, Status: core.StatusPending, Provider: core.ProviderGitHub, Kind: core.EventPush,
		Repository: core.Repository{Owner: "owner", Name: "repo"}, Commit: core.Commit{ID: strings.Repeat("a", 40)},
		Steps: []core.Step{}, CreatedAt: now, UpdatedAt: now,
	}
}

// If the process is killed at any time, all acknowledged writes are there, and the
// next process continues from them.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	revisions := map[string]int64{} // acknowledged, by id
	for _, acknowledgements := range []int{1, 10, 50, 200, 500} {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), storeOfChild+"="+path)
		child.Stderr = os.Stderr
		stdout, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for n := 0; lines.Scan(); n++ {
			var id string
			var revision int64
			if _, err := fmt.Sscan(lines.Text(), &id, &revision); err != nil {
				break // cut off by the kill
			}
			revisions[id] = max(revisions[id], revision)
			if n == acknowledgements { // acknowledgements until the kill count, too
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait() // killed
		checkAfterKill(t, path, revisions)
	}
}

func checkAfterKill(t *testing.T, path string, revisions map[string]int64) {
	t.Helper()
	s := bolt.New(bolt.Options{Path: path})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, revision := range revisions {
		c, err := s.Find(t.Context(), id)
		if err != nil || c.Entry.Revision < revision {
			t.Fatalf("entry %s of revision %d: found %d, %v", id, revision, c.Entry.Revision, err)
		}
		if payload, err := s.Payload(t.Context(), id); err != nil || string(payload) != `{"id":"`+id+`"}` {
			t.Fatalf("payload of %s: %q, %v", id, payload, err)
		}
	}
	for writer := range writers {
		user := fmt.Sprintf("user-%d", writer)
		all, err := coretest.Changes(t.Context(), s, user, core.Seq{}, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		next := map[string]int64{} // revision, by id
		for i, c := range all {
			if i > 0 && c.Seq.Compare(all[i-1].Seq) <= 0 {
				t.Fatalf("the log of %s goes from %s to %s", user, all[i-1].Seq, c.Seq)
			}
			next[c.Entry.ID]++
			if c.Entry.Revision != next[c.Entry.ID] {
				t.Fatalf("the log of %s has revision %d of %s want %d", user, c.Entry.Revision, c.Entry.ID, next[c.Entry.ID])
			}
		}
		for id, revision := range next {
			if c, err := s.Find(t.Context(), id); err != nil || c.Entry.Revision != revision {
				t.Fatalf("the log of %s ends with revision %d of %s, whose entry is %d, %v", user, revision, id, c.Entry.Revision, err)
			}
		}
	}
	// The entries can still be claimed.
	claim, found, _, err := s.Claim(t.Context(), time.Minute)
	if err != nil || !found {
		t.Fatalf("no entry can be claimed: %v", err)
	}
	c, err := s.Finish(t.Context(), claim.Change.Entry, claim.Attempt)
	if err != nil {
		t.Fatal(err)
	}
	revisions[c.Entry.ID] = c.Entry.Revision
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
