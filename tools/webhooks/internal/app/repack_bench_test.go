package app

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// BenchmarkRepack compares ways to bring the archive of a commit to the platform: a
// tree of some 150 MB, the sources of Go. Size is that of the result, in terms of what
// gzip makes of the tree at its own level, 6.
func BenchmarkRepack(b *testing.B) {
	archive, size := goSources(b)
	for _, c := range []struct {
		name string
		pack func(b *testing.B) (bytes int64)
	}{
		{"webhooks", func(b *testing.B) int64 { return upload(b, archive) }},
		{"tar to disk and back", func(b *testing.B) int64 {
			dir := b.TempDir()
			shell(b, "tar xzf "+archive+" -C "+dir+" && tar czf "+dir+"/packed.tgz -C "+dir+" go && rm -rf "+dir+"/go")
			return fileSize(b, filepath.Join(dir, "packed.tgz"))
		}},
		{"Go's gzip, level 6", func(b *testing.B) int64 { return recompress(b, archive, 6) }},
		{"Go's gzip, level 1", func(b *testing.B) int64 { return recompress(b, archive, gzip.BestSpeed) }},
		{"gunzip alone", func(b *testing.B) int64 { shell(b, "gunzip -c "+archive+" > /dev/null"); return 0 }},
	} {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			var packed int64
			for b.Loop() {
				packed = c.pack(b)
			}
			b.ReportMetric(float64(packed)/float64(size), "size")
		})
	}
}

// goSources returns an archive of the sources of Go and its size in bytes.
func goSources(b *testing.B) (archive string, size int64) {
	b.Helper()
	root, err := exec.CommandContext(b.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		b.Fatal(err)
	}
	archive = filepath.Join(b.TempDir(), "go.tgz")
	dir := strings.TrimSpace(string(root))
	// Links of the tree, and its hostile archives, are not what is measured.
	shell(b, "cd "+dir+" && find -L . -path ./src/'*' -type f -print0 | tar czf "+archive+" --null --no-recursion --dereference --transform 's|^\\.|go|' -T -")
	return archive, fileSize(b, archive)
}

func shell(b *testing.B, command string) {
	b.Helper()
	if out, err := exec.CommandContext(b.Context(), "sh", "-ec", command).CombinedOutput(); err != nil { //nolint:gosec // the benchmark's own
		b.Fatalf("%v: %s", err, out)
	}
}

func fileSize(b *testing.B, name string) int64 {
	b.Helper()
	info, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// recompress decompresses an archive and compresses it again, without reading it.
func recompress(b *testing.B, archive string, level int) int64 {
	b.Helper()
	f, err := os.Open(archive) //nolint:gosec // the benchmark's own
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	in, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	var size counter
	out, err := gzip.NewWriterLevel(&size, level)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil { //nolint:gosec // the benchmark's own archive
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	return int64(size)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// diskForge is a forge whose commits have the tree of an archive on disk.
type diskForge struct {
	*coretest.Forge
	archive string
}

func (f diskForge) Archive(context.Context, core.Repository, string, core.Secret) (io.ReadCloser, error) {
	return os.Open(f.archive)
}

// sizePlatform is a platform that only counts what it is sent.
type sizePlatform struct {
	*coretest.Platform
	sizes chan<- int64
}

func (p sizePlatform) Upload(ctx context.Context, user string, pkg deploy.Package, snapshot string, body io.Reader, out io.Writer) error {
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return fmt.Errorf("reading the snapshot: %w", err)
	}
	p.sizes <- n
	return p.Platform.Upload(ctx, user, pkg, snapshot, strings.NewReader(""), out)
}

// upload deploys a commit whose tree is in the archive, and returns the size of what
// the platform was sent.
func upload(b *testing.B, archive string) int64 {
	b.Helper()
	const (
		accountName = "me"
		commit      = "1111111111111111111111111111111111111111"
	)
	repository := core.Repository{Forge: core.GitHubHost, Owner: "o", Name: "hello", DefaultBranch: "main"}
	forge, store, accounts, sizes := coretest.NewForge(), coretest.NewMemory(nil, 0), coretest.NewAccounts(), make(chan int64, 1)
	forge.Commit(repository, commit, map[string]string{"package.json": `{"name":"hello","version":"1.0.0"}`})
	accounts.AddUser(accountName, core.NewSecret("secret"))
	worker := deploy.NewWorker(deploy.Options{
		Forges: map[string]deploy.Forge{core.GitHubHost: diskForge{forge, archive}},
		Store:  store, Queue: store, Watcher: store, Accounts: accounts, Platform: sizePlatform{coretest.NewPlatform(), sizes},
		Gzip: fastGzip(), NewID: newID,
	})
	wake, stop := store.Watch(accountName)
	defer stop()
	if err := worker.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	entry := core.Entry{
		ID: newID(), User: accountName, Provider: core.ProviderGitHub, Kind: core.EventPush, Event: "push", Status: core.StatusPending,
		Repository: repository, Branch: "main", DeployBranch: "main", Commit: core.Commit{ID: commit}, Steps: []core.Step{},
	}
	if _, _, err := store.Accept(b.Context(), deploy.Acceptance{Entry: entry, Key: entry.ID, Place: &deploy.Place{Lane: "hello"}}); err != nil {
		b.Fatal(err)
	}
	for !entry.Status.Outcome() {
		<-wake
		change, err := store.Find(b.Context(), entry.ID)
		if err != nil {
			b.Fatal(err)
		}
		entry = change.Entry
	}
	if entry.Status != core.StatusOK {
		b.Fatalf("%s: %s %v", entry.Status, entry.Reason, entry.Error)
	}
	if err := worker.Stop(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	return <-sizes
}
