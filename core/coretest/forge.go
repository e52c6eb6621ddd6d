package coretest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Forge is a deploy.Forge over commits in memory. Its methods can be made to fail
// by their names.
type Forge struct {
	Faults

	mu       sync.Mutex
	commits  map[string]map[string]string     // repository key + commit → path → content
	private  map[string]core.Secret           // repository key → the token that can read it
	branches map[string]string                // repository key → default branch
	checks   map[string][]deploy.Check        // commit → checks
	logins   map[string]string                // token → login
	statuses map[string][]deploy.CommitStatus // commit → statuses, oldest first
}

var (
	_ deploy.Forge = (*Forge)(nil)
	_ auth.Login   = (*Forge)(nil)
)

// NewForge returns a Forge without repositories.
func NewForge() *Forge {
	return &Forge{
		commits: map[string]map[string]string{}, private: map[string]core.Secret{}, branches: map[string]string{},
		checks: map[string][]deploy.Check{}, logins: map[string]string{}, statuses: map[string][]deploy.CommitStatus{},
	}
}

// Commit adds a commit with its files.
func (f *Forge) Commit(r core.Repository, commit string, files map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits[r.Key()+" "+commit] = maps.Clone(files)
}

// Private makes r readable with token only.
func (f *Forge) Private(r core.Repository, token core.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.private[r.Key()] = token
}

// SetDefaultBranch sets the default branch of r; there is none before.
func (f *Forge) SetDefaultBranch(r core.Repository, branch string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.branches[r.Key()] = branch
}

// SetChecks sets the checks of a commit.
func (f *Forge) SetChecks(commit string, checks ...deploy.Check) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checks[commit] = checks
}

// AddLogin makes token the login's.
func (f *Forge) AddLogin(login string, token core.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins[token.Reveal()] = login
}

// Statuses returns the statuses that were set on commit, oldest first.
func (f *Forge) Statuses(commit string) []deploy.CommitStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.statuses[commit])
}

func (f *Forge) files(ctx context.Context, method string, r core.Repository, commit string, token core.Secret) (map[string]string, error) {
	if err := errors.Join(ctx.Err(), f.next(method)); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	files, exists := f.commits[r.Key()+" "+commit]
	if owner, private := f.private[r.Key()]; !exists || private && !token.Equal(owner) {
		return nil, fmt.Errorf("forge: %s at %s: %w", r.Slug(), commit, core.ErrNotFound)
	}
	return files, nil
}

// File implements deploy.Forge.
func (f *Forge) File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) ([]byte, error) {
	files, err := f.files(ctx, "File", r, commit, token)
	if err != nil {
		return nil, err
	}
	content, exists := files[path]
	if !exists {
		return nil, fmt.Errorf("forge: %s: %w", path, core.ErrNotFound)
	}
	return []byte(content), nil
}

// Archive implements deploy.Forge.
func (f *Forge) Archive(ctx context.Context, r core.Repository, commit string, token core.Secret) (io.ReadCloser, error) {
	files, err := f.files(ctx, "Archive", r, commit, token)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	out := tar.NewWriter(zipped)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		content := files[path]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: r.Name + "-" + commit[:7] + "/" + path, Mode: 0o644, Size: int64(len(content))}
		if err := out.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(out, content); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(out.Close(), zipped.Close()); err != nil {
		return nil, err
	}
	return io.NopCloser(&packed), nil
}

// DefaultBranch implements deploy.Forge.
func (f *Forge) DefaultBranch(ctx context.Context, r core.Repository, _ core.Secret) (string, error) {
	if err := errors.Join(ctx.Err(), f.next("DefaultBranch")); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	branch, exists := f.branches[r.Key()]
	if !exists {
		return "", fmt.Errorf("forge: default branch of %s: %w", r.Slug(), core.ErrNotFound)
	}
	return branch, nil
}

// CommitStatus implements deploy.Forge.
func (f *Forge) CommitStatus(ctx context.Context, _ core.Repository, commit string, status deploy.CommitStatus, _ core.Secret) error {
	if err := errors.Join(ctx.Err(), f.next("CommitStatus")); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statuses[commit] = append(f.statuses[commit], status)
	return nil
}

// Checks implements deploy.Forge.
func (f *Forge) Checks(ctx context.Context, _ core.Repository, commit string, _ core.Secret) ([]deploy.Check, error) {
	if err := errors.Join(ctx.Err(), f.next("Checks")); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.checks[commit]), nil
}

// Login implements deploy.Forge and auth.Login.
func (f *Forge) Login(ctx context.Context, token core.Secret) (string, []string, error) {
	if err := errors.Join(ctx.Err(), f.next("Login")); err != nil {
		return "", nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	login, exists := f.logins[token.Reveal()]
	if !exists {
		return "", nil, fmt.Errorf("forge: login: %w", core.ErrUnauthorized)
	}
	return login, []string{"repo"}, nil
}
