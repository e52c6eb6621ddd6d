package sim

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// linkLife is how long the address of the archive of a private repository is valid
// (docs.github.com, "Download a repository archive (tar)").
const linkLife = 5 * time.Minute

// link is the token in such an address.
type link struct {
	repo    *repository
	expires time.Time
}

// getTarball answers "Download a repository archive (tar)": a redirect to the
// address of the archive, which answers 404 if there is no such ref.
func (s *Server) getTarball(w http.ResponseWriter, r *http.Request, repo *repository) {
	ref := r.PathValue("ref")
	if ref == "" {
		branch, err := repo.defaultBranch(r.Context())
		if err != nil {
			s.broken(w, err)
			return
		}
		ref = "refs/heads/" + branch
	}
	parts := strings.Split(ref, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	to := "http://" + s.ArchiveHost() + "/" + repo.slug() + "/legacy.tar.gz/" + strings.Join(parts, "/")
	if repo.private {
		to += "?token=" + s.addLink(repo)
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

func (s *Server) addLink(repo *repository) (token string) {
	now := s.options.Now()
	token = strings.ToUpper(strings.ReplaceAll(newGUID(), "-", ""))
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, l := range s.links {
		if now.After(l.expires) {
			delete(s.links, old)
		}
	}
	s.links[token] = link{repo, now.Add(linkLife)}
	return token
}

// archiveHandler serves the archives.
func (s *Server) archiveHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{owner}/{repo}/legacy.tar.gz/{ref...}", s.getArchive)
	return s.watch(true, mux)
}

func (s *Server) getArchive(w http.ResponseWriter, r *http.Request) {
	repo, err := s.find(r.PathValue("owner"), r.PathValue("repo"))
	if err == nil && repo.private && !s.permits(r.URL.Query().Get("token"), repo) {
		err = errNoObject
	}
	var commit string
	if err == nil {
		commit, err = repo.commit(r.Context(), r.PathValue("ref"))
	}
	if err != nil {
		http.Error(w, "404: Not Found", http.StatusNotFound)
		return
	}
	folder := repo.owner + "-" + repo.name + "-" + commit[:7]
	w.Header().Set("Content-Type", "application/x-gzip")
	w.Header().Set("Content-Disposition", "attachment; filename="+folder+".tar.gz")
	if r.Method == http.MethodHead {
		return
	}
	if err := repo.archive(r, folder+"/", commit, w); err != nil {
		// It is too late for a status. The answer is cut, so that it is not complete.
		s.options.Logger.Debug("archive cut off", "repo", repo.slug(), "error", err)
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) permits(token string, repo *repository) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.links[token]
	return ok && l.repo == repo && !s.options.Now().After(l.expires)
}

// archive writes the commit's tree as a gzipped tar.
func (r *repository) archive(req *http.Request, prefix, commit string, w io.Writer) error {
	cmd := r.command(req.Context(), "archive", "--format=tar.gz", "--prefix="+prefix, commit)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done { // w panicked to cut the answer
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	_, copyErr := io.Copy(w, out)
	if copyErr != nil {
		_ = cmd.Process.Kill()
	}
	done = true
	return errors.Join(copyErr, cmd.Wait())
}
