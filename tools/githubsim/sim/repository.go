package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// repository is a bare git repository with its settings at GitHub.
type repository struct {
	owner, name   string
	dir           string
	private       bool
	created       time.Time
	collaborators []string

	// push is locked while a push is detected and delivered; it guards seen.
	push sync.Mutex
	seen map[string]string // object by ref, as of the last look

	hooks    []hook              // guarded by Server.mu
	statuses map[string][]Status // by commit, newest first; guarded by Server.mu

	runs        []Run         // newest first; guarded by Server.mu
	deployments []*Deployment // newest first; guarded by Server.mu
}

func (r *repository) slug() string { return r.owner + "/" + r.name }

// CreateRepository creates an empty bare repository with the default branch main,
// and returns its folder, to push to. A private one can be read by its owner and
// by users that [Server.Share] adds. It fails with core.ErrConflict if the
// repository exists.
func (s *Server) CreateRepository(ctx context.Context, owner, name string, private bool) (gitDir string, err error) {
	if !core.ValidRepositoryPart(owner) || !core.ValidRepositoryPart(name) || strings.HasSuffix(name, ".git") {
		return "", fmt.Errorf("sim: create repository %q: the name is not valid", owner+"/"+name)
	}
	r := &repository{
		owner: owner, name: name, private: private,
		dir:     filepath.Join(s.options.Dir, owner, name+".git"),
		created: s.options.Now(),
		seen:    map[string]string{}, statuses: map[string][]Status{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repositories[strings.ToLower(r.slug())] != nil {
		return "", fmt.Errorf("sim: create repository %s: %w", r.slug(), core.ErrConflict)
	}
	if err := os.MkdirAll(r.dir, 0o750); err != nil {
		return "", fmt.Errorf("sim: create repository %s: %w", r.slug(), err)
	}
	if _, err := r.git(ctx, "init", "--quiet", "--bare", "--initial-branch=main"); err != nil {
		return "", fmt.Errorf("sim: create repository %s: %w", r.slug(), err)
	}
	if _, err := r.git(ctx, "config", "githubsim.private", strconv.FormatBool(private)); err != nil {
		return "", fmt.Errorf("sim: create repository %s: %w", r.slug(), err)
	}
	if err := s.writePostReceive(r); err != nil {
		return "", err
	}
	s.repositories[strings.ToLower(r.slug())] = r
	return r.dir, nil
}

// GitDir returns the folder of a repository, or core.ErrNotFound.
func (s *Server) GitDir(owner, name string) (string, error) {
	r, err := s.find(owner, name)
	if err != nil {
		return "", err
	}
	return r.dir, nil
}

// SetDefaultBranch names the branch that the repository's HEAD points to.
func (s *Server) SetDefaultBranch(ctx context.Context, owner, name, branch string) error {
	r, err := s.find(owner, name)
	if err != nil {
		return err
	}
	if !plainRef(branch) {
		return fmt.Errorf("sim: default branch %q: the name is not valid", branch)
	}
	_, err = r.git(ctx, "symbolic-ref", "HEAD", "refs/heads/"+branch)
	return err
}

// Share allows login to read the repository and to push to it.
func (s *Server) Share(owner, name, login string) error {
	r, err := s.find(owner, name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.collaborators = append(r.collaborators, login)
	return nil
}

// find returns a repository, whatever the case of its name, or
// core.ErrNotFound.
func (s *Server) find(owner, name string) (*repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repositories[strings.ToLower(owner+"/"+name)]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("sim: repository %q: %w", owner+"/"+name, core.ErrNotFound)
}

// reads reports whether a user, nil for an anonymous one, may read the repository.
func (s *Server) reads(who *user, r *repository) bool {
	return !r.private || who != nil && who.may("repo") && s.belongs(who, r)
}

func (s *Server) belongs(who *user, r *repository) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.EqualFold(who.login, r.owner) ||
		slices.ContainsFunc(r.collaborators, func(login string) bool { return strings.EqualFold(login, who.login) })
}

// adopt opens the repositories of an earlier Server in the folder. Their present
// refs count as seen.
func (s *Server) adopt(ctx context.Context) error {
	dirs, err := filepath.Glob(filepath.Join(s.options.Dir, "*", "*.git"))
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	for _, dir := range dirs {
		owner, name := filepath.Base(filepath.Dir(dir)), strings.TrimSuffix(filepath.Base(dir), ".git")
		if !core.ValidRepositoryPart(owner) || !core.ValidRepositoryPart(name) {
			continue
		}
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
		r := &repository{owner: owner, name: name, dir: dir, created: info.ModTime(), statuses: map[string][]Status{}}
		private, err := r.git(ctx, "config", "--bool", "--default=false", "githubsim.private")
		if err != nil {
			return err
		}
		r.private = strings.TrimSpace(string(private)) == "true"
		if r.seen, err = r.refs(ctx); err != nil {
			return err
		}
		if err := s.writePostReceive(r); err != nil {
			return err
		}
		s.mu.Lock()
		s.repositories[strings.ToLower(r.slug())] = r
		s.mu.Unlock()
	}
	return nil
}

// writePostReceive writes the git hook that notifies of a push.
func (s *Server) writePostReceive(r *repository) error {
	if s.options.HookProgram == "" {
		return nil
	}
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
	script := "#!/bin/sh\ncat >/dev/null\nexec " + quote(s.options.HookProgram) + " pushed --dir " + quote(s.options.Dir) + " " + quote(r.slug()) + "\n"
	path := filepath.Join(r.dir, "hooks", "post-receive")
	err := os.MkdirAll(filepath.Dir(path), 0o750)
	if err == nil {
		err = os.WriteFile(path, []byte(script), 0o600)
	}
	if err == nil {
		err = os.Chmod(path, 0o700) //nolint:gosec // git runs it
	}
	if err != nil {
		return fmt.Errorf("sim: post-receive hook of %s: %w", r.slug(), err)
	}
	return nil
}

// repositoryJSON is a repository in answers and payloads. Some fields have another
// form in a push.
type repositoryJSON struct {
	ID            int64    `json:"id"`
	NodeID        string   `json:"node_id"`
	Name          string   `json:"name"`
	FullName      string   `json:"full_name"`
	Private       bool     `json:"private"`
	Owner         userJSON `json:"owner"`
	HTMLURL       string   `json:"html_url"`
	Description   *string  `json:"description"`
	Fork          bool     `json:"fork"`
	URL           string   `json:"url"`
	ArchiveURL    string   `json:"archive_url"`
	ContentsURL   string   `json:"contents_url"`
	StatusesURL   string   `json:"statuses_url"`
	CreatedAt     any      `json:"created_at"` // Unix seconds in a push, else text
	UpdatedAt     string   `json:"updated_at"`
	PushedAt      any      `json:"pushed_at"` // as CreatedAt
	GitURL        string   `json:"git_url"`
	SSHURL        string   `json:"ssh_url"`
	CloneURL      string   `json:"clone_url"`
	Size          int      `json:"size"`
	Language      *string  `json:"language"`
	Archived      bool     `json:"archived"`
	Disabled      bool     `json:"disabled"`
	Topics        []string `json:"topics"`
	Visibility    string   `json:"visibility"`
	DefaultBranch string   `json:"default_branch"`
	MasterBranch  string   `json:"master_branch,omitempty"` // in a push only
	// CustomProperties has lists as well as strings, which some parsers fail at.
	CustomProperties map[string]any `json:"custom_properties"`
}

func (s *Server) repositoryJSON(ctx context.Context, r *repository) (repositoryJSON, error) {
	branch, err := r.defaultBranch(ctx)
	if err != nil {
		return repositoryJSON{}, err
	}
	id := idOf("repository", r.slug())
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	web, api := s.options.WebURL+"/"+r.slug(), s.URL()+"repos/"+r.slug()
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	return repositoryJSON{
		ID: id, NodeID: "R_" + strconv.FormatInt(id, 36), Name: r.name, FullName: r.slug(), Private: r.private,
		Owner: s.userJSON(r.owner), HTMLURL: web, URL: api,
		ArchiveURL: api + "/{archive_format}{/ref}", ContentsURL: api + "/contents/{+path}", StatusesURL: api + "/statuses/{sha}",
		CreatedAt: stamp(r.created), UpdatedAt: stamp(s.options.Now()), PushedAt: stamp(s.options.Now()),
		GitURL: "git://" + strings.TrimPrefix(web, "https://") + ".git", SSHURL: "git@github.com:" + r.slug() + ".git", CloneURL: web + ".git",
		Topics: []string{}, Visibility: visibility, DefaultBranch: branch,
		CustomProperties: map[string]any{"team": "web", "tiers": []string{"one", "two"}},
	}, nil
}

var errNoObject = errors.New("no such object")
