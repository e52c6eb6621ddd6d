package forgesim

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Kind is the kind of forge that a [Server] stands for.
type Kind string

// The kinds.
const (
	GitLab     Kind = "gitlab"
	Gitea      Kind = "gitea"
	Forgejo    Kind = "forgejo"
	Gogs       Kind = "gogs"
	Bitbucket  Kind = "bitbucket"
	DataCenter Kind = "bitbucket-dc"
)

// Server is the stand-in. Its methods may be called concurrently.
type Server struct {
	kind Kind
	dir  string
	addr string
	http *http.Server
	done chan struct{}

	mu           sync.Mutex
	tokens       map[string]string // login by token
	repositories map[string]*repository
	failures     []failure
	count        int64
}

// failure is an answer to the next request.
type failure struct {
	status int
	header http.Header
}

// repository is a bare git repository with its settings.
type repository struct {
	owner, name string
	dir         string
	private     bool
	seen        map[string]string // commit by branch, as of the last Pushed
	hooks       []hook
	statuses    map[string][]Status // by commit, newest first
	checks      []Check             // newest first
	disabled    map[int]bool        // by the index of a webhook
	sent        []sent              // newest last
}

type hook struct{ url, secret string }

// sent is a delivery that was sent, for GitLab's list of them.
type sent struct {
	id      int64
	hook    int // its index
	event   string
	key     string // the same if it is sent again
	payload []byte
	status  int // 0: no answer
	header  http.Header
}

func (r *repository) slug() string { return r.owner + "/" + r.name }

// Status is a commit status that was set by the API.
type Status struct {
	Key, State, Description, URL string
}

// Check is a pipeline of GitLab, a run of a workflow of Gitea and Forgejo, or a build
// status of Bitbucket.
type Check struct {
	ID     int64  // 0 in SetCheck: a new one
	SHA    string // of the commit
	Branch string
	State  string // in the words of the forge
	Source string // what started it; default "push"

	conclusion string
	created    time.Time
}

// New starts a server of that kind with its repositories in dir.
func New(ctx context.Context, kind Kind, dir string) (*Server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("forgesim: %w", err)
	}
	s := &Server{
		kind: kind, dir: dir, addr: listener.Addr().String(), done: make(chan struct{}),
		tokens: map[string]string{}, repositories: map[string]*repository{},
	}
	api := map[Kind]http.Handler{
		GitLab: s.gitlab(), Gitea: s.gitea(), Forgejo: s.gitea(), Gogs: s.gogs(), Bitbucket: s.bitbucket(), DataCenter: s.dataCenter(),
	}[kind]
	s.http = &http.Server{Handler: s.guard(api), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // until Close
	}()
	return s, nil
}

// Close stops the server.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// URL is the address of the forge's pages.
func (s *Server) URL() string { return "http://" + s.addr }

// Host is the forge as repositories name it.
func (s *Server) Host() string {
	if s.kind == Bitbucket {
		return "bitbucket.org"
	}
	return s.addr
}

// AddUser adds a token of login. One of Bitbucket may be EMAIL:TOKEN.
func (s *Server) AddUser(login, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = login
}

// Fail answers the next request with a status.
func (s *Server) Fail(status int, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failure{status, header})
}

// CreateRepository creates an empty bare repository with the default branch main, and
// returns its folder, to push to.
func (s *Server) CreateRepository(ctx context.Context, owner, name string, private bool) (gitDir string, err error) {
	r := &repository{
		owner: owner, name: name, private: private, dir: filepath.Join(s.dir, owner, name+".git"),
		seen: map[string]string{}, statuses: map[string][]Status{}, disabled: map[int]bool{},
	}
	if err := os.MkdirAll(r.dir, 0o750); err != nil {
		return "", fmt.Errorf("forgesim: %w", err)
	}
	if _, err := r.git(ctx, "init", "--quiet", "--bare", "--initial-branch=main"); err != nil {
		return "", fmt.Errorf("forgesim: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repositories[strings.ToLower(r.slug())] = r
	return r.dir, nil
}

// Hook adds a webhook.
func (s *Server) Hook(owner, name, to, secret string) error {
	r, err := s.find(owner + "/" + name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.hooks = append(r.hooks, hook{to, secret})
	return nil
}

// DisableHooks disables the webhooks of a repository, as GitLab does after failures.
func (s *Server) DisableHooks(owner, name string) error {
	r, err := s.find(owner + "/" + name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.hooks {
		r.disabled[i] = true
	}
	return nil
}

// Statuses returns the statuses of a commit, newest first.
func (s *Server) Statuses(owner, name, sha string) []Status {
	r, err := s.find(owner + "/" + name)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Status(nil), r.statuses[sha]...)
}

func (s *Server) find(slug string) (*repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repositories[strings.ToLower(slug)]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("forgesim: repository %q: %w", slug, core.ErrNotFound)
}

type loginKey struct{}

// guard answers with the failures, and refuses a token that is not known.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := tokenOf(r)
		s.mu.Lock()
		login := s.tokens[token]
		var fails *failure
		if len(s.failures) > 0 {
			fails = &s.failures[0]
			s.failures = s.failures[1:]
		}
		s.mu.Unlock()
		switch {
		case fails != nil:
			maps.Copy(w.Header(), fails.header)
			http.Error(w, "Retry later", fails.status)
		case token != "" && login == "":
			refuse(w, http.StatusUnauthorized, "401 Unauthorized")
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), loginKey{}, login)))
		}
	})
}

// tokenOf returns the token of a request, in any of the forms that the forges accept.
func tokenOf(r *http.Request) string {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return rest
	case "basic":
		text, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return "invalid"
		}
		return string(text)
	}
	return r.Header.Get("Private-Token")
}

// on finds the repository of a request, which slug names. Only a user may read a
// private one.
func (s *Server) on(slug func(*http.Request) string, handle func(http.ResponseWriter, *http.Request, *repository)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		repo, err := s.find(slug(r))
		if login, _ := r.Context().Value(loginKey{}).(string); err != nil || repo.private && login == "" {
			refuse(w, http.StatusNotFound, "404 Not Found")
			return
		}
		handle(w, r, repo)
	}
}

// serveFile answers with a file of a commit.
func serveFile(w http.ResponseWriter, r *http.Request, repo *repository, commit, path string) {
	text, err := repo.file(r.Context(), commit, path)
	if err != nil {
		refuse(w, http.StatusNotFound, "404 File Not Found")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text) // the client may have left
}

// serveArchive answers with the tree of a commit below a folder.
func serveArchive(w http.ResponseWriter, r *http.Request, repo *repository, commit, folder string) {
	text, err := repo.archive(r.Context(), commit, folder)
	if err != nil {
		refuse(w, http.StatusNotFound, "404 Not Found")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(text) // the client may have left
}

// postStatus stores a status of a commit that is in the body. newStatus reads it.
func (s *Server) postStatus(w http.ResponseWriter, r *http.Request, repo *repository, sha, key, state, description string) {
	if login, _ := r.Context().Value(loginKey{}).(string); login == "" {
		refuse(w, http.StatusUnauthorized, "401 Unauthorized")
		return
	}
	var body map[string]string
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body)
	if _, known := repo.commit(r.Context(), sha); err != nil || !known {
		refuse(w, http.StatusNotFound, "404 Commit Not Found")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{Key: body[key], State: body[state], Description: body[description], URL: body["target_url"] + body["url"]}
	if s.kind == GitLab && len(repo.statuses[sha]) > 0 && repo.statuses[sha][0].State == status.State {
		refuse(w, http.StatusBadRequest, "Cannot transition status via :run from :running")
		return
	}
	repo.statuses[sha] = append([]Status{status}, repo.statuses[sha]...)
	writeJSON(w, http.StatusCreated, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"message":"500"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may have left
}

func refuse(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"message": message})
}

var errNoHook = errors.New("forgesim: the repository has no webhook")
