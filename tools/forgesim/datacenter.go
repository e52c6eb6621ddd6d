package forgesim

import (
	"net/http"
	"strconv"
	"strings"
)

// dataCenter is the API of Bitbucket Data Center.
func (s *Server) dataCenter() http.Handler {
	const repo = "/rest/api/latest/projects/{owner}/repos/{repo}"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plugins/servlet/applinks/whoami", func(w http.ResponseWriter, r *http.Request) {
		login, _ := r.Context().Value(loginKey{}).(string)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(login)) //nolint:gosec // plain text, and empty without a login
	})
	mux.HandleFunc("GET "+repo+"/default-branch", s.on(slugOf, func(w http.ResponseWriter, _ *http.Request, _ *repository) {
		writeJSON(w, http.StatusOK, map[string]any{"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"})
	}))
	mux.HandleFunc("GET "+repo+"/raw/{path...}", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		serveFile(w, r, repo, r.URL.Query().Get("at"), r.PathValue("path"))
	}))
	mux.HandleFunc("GET "+repo+"/archive", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		query := r.URL.Query()
		if query.Get("format") != "tar.gz" {
			refuse(w, http.StatusBadRequest, "400 Bad Request")
			return
		}
		serveArchive(w, r, repo, query.Get("at"), strings.TrimSuffix(query.Get("prefix"), "/"))
	}))
	mux.HandleFunc("GET "+repo+"/commits/{sha}", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		id, found := repo.commit(r.Context(), r.PathValue("sha"))
		if !found {
			refuse(w, http.StatusNotFound, "404 Not Found")
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"id": id})
	}))
	mux.HandleFunc("POST "+repo+"/commits/{sha}/builds", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		s.postStatus(w, r, repo, r.PathValue("sha"), "key", "state", "description")
	}))
	mux.HandleFunc("GET /rest/build-status/latest/commits/{sha}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"isLastPage": true, "values": s.buildsOf(r.PathValue("sha"))})
	})
	mux.HandleFunc("POST "+repo+"/webhooks/test", s.on(slugOf, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		query := r.URL.Query()
		hook, err := strconv.Atoi(query.Get("webhookId"))
		s.mu.Lock()
		known := err == nil && hook >= 1 && hook <= len(repo.hooks) && query.Get("url") == repo.hooks[hook-1].url
		s.mu.Unlock()
		if login, _ := r.Context().Value(loginKey{}).(string); login == "" || !known {
			refuse(w, http.StatusUnauthorized, "401 Unauthorized")
			return
		}
		d, err := s.postTest(r.Context(), repo, hook-1, "diagnostics:ping", map[string]bool{"test": true})
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"response": map[string]any{"statusCode": d.Status, "body": string(d.Body)}})
	}))
	s.hooksAt(mux, repo+"/webhooks", http.MethodPut, slugOf, pageList)
	return mux
}

// buildsOf returns the build statuses of a commit in any repository.
func (s *Server) buildsOf(sha string) []map[string]any {
	s.mu.Lock()
	all := make([]*repository, 0, len(s.repositories))
	for _, r := range s.repositories {
		all = append(all, r)
	}
	s.mu.Unlock()
	values := []map[string]any{}
	for _, r := range all {
		// A status has its key once: the newest one replaces it.
		for i, c := range s.checksOf(r, sha) {
			if i == 0 {
				values = append(values, map[string]any{
					"key": "ci", "name": "Pipeline", "state": c.State, "url": s.URL() + "/pipelines/" + strconv.FormatInt(c.ID, 10), "dateAdded": c.created.UnixMilli(),
				})
			}
		}
		for _, st := range s.newest(r, sha) {
			values = append(values, map[string]any{"key": st.Key, "state": st.State, "url": st.URL})
		}
	}
	return values
}
