package forgesim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// gitlab is the API of GitLab. The project in its paths has escaped slashes, which
// http.ServeMux does not match as one part, so they are replaced before.
func (s *Server) gitlab() http.Handler {
	slug := func(r *http.Request) string { return strings.ReplaceAll(r.PathValue("id"), "|", "/") }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v4/user", s.user("username"))
	mux.HandleFunc("GET /api/v4/personal_access_tokens/self", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"scopes": []string{"api"}})
	})
	mux.HandleFunc("GET /api/v4/projects/{id}", s.on(slug, func(w http.ResponseWriter, _ *http.Request, repo *repository) {
		writeJSON(w, http.StatusOK, map[string]any{"path_with_namespace": repo.slug(), "default_branch": "main"})
	}))
	mux.HandleFunc("GET /api/v4/projects/{id}/repository/files/{path}/raw", s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		serveFile(w, r, repo, r.URL.Query().Get("ref"), strings.ReplaceAll(r.PathValue("path"), "|", "/"))
	}))
	mux.HandleFunc("GET /api/v4/projects/{id}/repository/archive.tar.gz", s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		sha := r.URL.Query().Get("sha")
		serveArchive(w, r, repo, sha, repo.name+"-"+sha)
	}))
	mux.HandleFunc("POST /api/v4/projects/{id}/statuses/{sha}", s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		s.postStatus(w, r, repo, r.PathValue("sha"), "name", "state", "description")
	}))
	mux.HandleFunc("GET /api/v4/projects/{id}/pipelines", s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		list := []map[string]any{}
		for _, c := range s.checksOf(repo, r.URL.Query().Get("sha")) {
			list = append(list, map[string]any{
				"id": c.ID, "sha": c.SHA, "ref": c.Branch, "status": c.State, "source": c.Source,
				"web_url": s.URL() + "/" + repo.slug() + "/-/pipelines/" + strconv.FormatInt(c.ID, 10), "created_at": c.created,
			})
		}
		writeJSON(w, http.StatusOK, list)
	}))
	mux.HandleFunc("GET /api/v4/projects/{id}/repository/commits/{sha}/statuses", s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		list := []map[string]any{}
		for _, st := range s.newest(repo, r.PathValue("sha")) {
			list = append(list, map[string]any{"name": st.Key, "status": st.State, "target_url": st.URL})
		}
		writeJSON(w, http.StatusOK, list)
	}))
	s.hooksAt(mux, "/api/v4/projects/{id}/hooks", http.MethodPut, slug, plainList)
	s.deliveriesAt(mux, "/api/v4/projects/{id}/hooks", slug)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		path, err := url.PathUnescape(strings.ReplaceAll(r.URL.EscapedPath(), "%2F", "%7C"))
		if err != nil {
			refuse(w, http.StatusBadRequest, "400 Bad Request")
			return
		}
		r.URL.Path, r.URL.RawPath = path, ""
		mux.ServeHTTP(w, r)
	})
}

func slugOf(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("repo") }

// gogs is what Gitea, Forgejo and Gogs have in common, and Gogs' own files.
func (s *Server) gogs() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/user", s.user("login"))
	mux.HandleFunc("GET /api/v1/repos/{owner}/{repo}", s.on(slugOf, func(w http.ResponseWriter, _ *http.Request, repo *repository) {
		writeJSON(w, http.StatusOK, map[string]any{"full_name": repo.slug(), "default_branch": "main"})
	}))
	mux.HandleFunc("GET /api/v1/repos/{owner}/{repo}/raw/{path...}", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		commit, path := r.URL.Query().Get("ref"), r.PathValue("path")
		if s.kind == Gogs {
			commit, path, _ = strings.Cut(path, "/")
		}
		serveFile(w, r, repo, commit, path)
	}))
	mux.HandleFunc("GET /api/v1/repos/{owner}/{repo}/archive/{file}", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		commit, _ := strings.CutSuffix(r.PathValue("file"), ".tar.gz")
		serveArchive(w, r, repo, commit, strings.ToLower(repo.name))
	}))
	s.hooksAt(mux, "/api/v1/repos/{owner}/{repo}/hooks", http.MethodPatch, slugOf, plainList)
	return mux
}

func (s *Server) gitea() *http.ServeMux {
	mux := s.gogs()
	mux.HandleFunc("POST /api/v1/repos/{owner}/{repo}/statuses/{sha}", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		s.postStatus(w, r, repo, r.PathValue("sha"), "context", "state", "description")
	}))
	mux.HandleFunc("GET /api/v1/repos/{owner}/{repo}/commits/{sha}/status", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		list := []map[string]any{}
		for _, st := range s.newest(repo, r.PathValue("sha")) {
			list = append(list, map[string]any{"context": st.Key, "status": st.State, "target_url": st.URL})
		}
		writeJSON(w, http.StatusOK, map[string]any{"state": "pending", "statuses": list})
	}))
	mux.HandleFunc("GET /api/v1/repos/{owner}/{repo}/actions/runs", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		list := []map[string]any{}
		for _, c := range s.checksOf(repo, r.URL.Query().Get("head_sha")) {
			list = append(list, s.runJSON(repo, c))
		}
		writeJSON(w, http.StatusOK, map[string]any{"total_count": len(list), "workflow_runs": list})
	}))
	// The test is a push from the newest commit to itself.
	mux.HandleFunc("POST /api/v1/repos/{owner}/{repo}/hooks/{hook}/tests", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		branches, err := repo.branches(r.Context())
		hook, atErr := strconv.Atoi(r.PathValue("hook"))
		if err != nil || atErr != nil || hook < 1 || hook > len(repo.hooks) {
			refuse(w, http.StatusNotFound, "404 Not Found")
			return
		}
		if head := branches["main"]; head != "" {
			event, v := s.pushJSON(r.Context(), repo, "main", head, head)
			payload, err := json.Marshal(v)
			if err == nil {
				_, err = s.post(r.Context(), repo, hook-1, event, "test-"+head, payload)
			}
			if err != nil {
				refuse(w, http.StatusInternalServerError, "500 Internal Server Error")
				return
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	return mux
}

// runJSON is a run as Gitea has it, or Forgejo.
func (s *Server) runJSON(repo *repository, c Check) map[string]any {
	address := s.URL() + "/" + repo.slug() + "/actions/runs/" + strconv.FormatInt(c.ID, 10)
	if s.kind == Forgejo {
		status := c.State
		if status == "completed" {
			status = c.conclusion
		}
		return map[string]any{
			"id": c.ID, "index_in_repo": c.ID, "workflow_id": "ci.yml", "event": c.Source, "prettyref": c.Branch, "commit_sha": c.SHA,
			"status": status, "html_url": address,
		}
	}
	return map[string]any{
		"id": c.ID, "run_number": c.ID, "run_attempt": 1, "path": "ci.yml@refs/heads/" + c.Branch, "event": c.Source,
		"head_branch": c.Branch, "head_sha": c.SHA, "status": c.State, "conclusion": c.conclusion, "html_url": address,
		"started_at": c.created.UTC().Format(time.RFC3339),
	}
}

// bitbucket is the API of Bitbucket, below /2.0/, and its archives.
func (s *Server) bitbucket() http.Handler {
	const repo = "/2.0/repositories/{owner}/{repo}"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2.0/user", s.user("username"))
	mux.HandleFunc("GET "+repo, s.on(slugOf, func(w http.ResponseWriter, _ *http.Request, repo *repository) {
		writeJSON(w, http.StatusOK, map[string]any{"full_name": repo.slug(), "mainbranch": map[string]string{"name": "main"}})
	}))
	mux.HandleFunc("GET "+repo+"/src/{sha}/{path...}", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		serveFile(w, r, repo, r.PathValue("sha"), r.PathValue("path"))
	}))
	s.hooksAt(mux, repo+"/hooks", http.MethodPut, slugOf, pageList)
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{owner}/{repo}/get/{file}", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		commit, _ := strings.CutSuffix(r.PathValue("file"), ".tar.gz")
		serveArchive(w, r, repo, commit, repo.owner+"-"+repo.name)
	}))
	mux.HandleFunc("POST "+repo+"/commit/{sha}/statuses/build", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		s.postStatus(w, r, repo, r.PathValue("sha"), "key", "state", "description")
	}))
	mux.HandleFunc("GET "+repo+"/commit/{sha}/statuses", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		values := []map[string]any{}
		for _, c := range s.checksOf(repo, r.PathValue("sha")) {
			values = append(values, map[string]any{
				"key": "ci", "name": "Pipeline", "state": c.State, "refname": c.Branch, "url": s.URL() + "/pipelines/" + strconv.FormatInt(c.ID, 10),
				"created_on": c.created,
			})
		}
		for _, st := range s.newest(repo, r.PathValue("sha")) {
			values = append(values, map[string]any{"key": st.Key, "state": st.State, "url": st.URL})
		}
		writeJSON(w, http.StatusOK, map[string]any{"pagelen": 100, "values": values})
	}))
	pages.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "404 Not Found") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/2.0/") {
			mux.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// user answers whose token it is, in a field of that name.
func (s *Server) user(field string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		login, _ := r.Context().Value(loginKey{}).(string)
		if login == "" {
			refuse(w, http.StatusUnauthorized, "401 Unauthorized")
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"id": 7, field: login})
	}
}

// checksOf returns the checks of a commit, newest first.
func (s *Server) checksOf(r *repository, sha string) []Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Check
	for _, c := range r.checks {
		if c.SHA == sha {
			all = append(all, c)
		}
	}
	return all
}

// newest returns the newest status of each key of a commit.
func (s *Server) newest(r *repository, sha string) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Status
	known := map[string]bool{}
	for _, st := range r.statuses[sha] {
		if !known[st.Key] {
			known[st.Key] = true
			all = append(all, st)
		}
	}
	return all
}
