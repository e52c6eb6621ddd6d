package sim

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/nodejitsu/webhooks/core"
)

// Deployment is a deployment with its statuses.
type Deployment struct {
	ID          int64              `json:"id"`
	SHA         string             `json:"sha"`
	Environment string             `json:"environment"`
	Description string             `json:"description"`
	Statuses    []DeploymentStatus `json:"-"` // the oldest first
}

// DeploymentStatus is a status of a deployment.
type DeploymentStatus struct {
	State          string `json:"state"`
	Description    string `json:"description"`
	LogURL         string `json:"log_url"`
	EnvironmentURL string `json:"environment_url"`
}

// Deployments returns the deployments of a commit, newest first.
func (s *Server) Deployments(owner, name, sha string) []Deployment {
	r, err := s.find(owner, name)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Deployment
	for _, d := range r.deployments {
		if d.SHA == sha {
			found = append(found, Deployment{d.ID, d.SHA, d.Environment, d.Description, slices.Clone(d.Statuses)})
		}
	}
	return found
}

// deploys reports whether the viewer may create deployments, and answers if not
// (docs.github.com, "REST API endpoints for deployments": the scope repo or
// repo_deployment).
func (s *Server) deploys(w http.ResponseWriter, r *http.Request, repo *repository) bool {
	who := viewer(r.Context())
	switch {
	case who == nil:
		refuse(w, http.StatusUnauthorized, "Requires authentication")
		return false
	case !s.belongs(who, repo) && who.scopes == nil:
		refuse(w, http.StatusForbidden, "Resource not accessible by personal access token")
		return false
	case !s.belongs(who, repo), !who.may("repo", "repo_deployment") && (repo.private || !who.may("public_repo")):
		notFound(w)
		return false
	}
	return true
}

// getDeployments answers "List deployments", on one page.
func (s *Server) getDeployments(w http.ResponseWriter, r *http.Request, repo *repository) {
	query, found := r.URL.Query(), []*Deployment{}
	s.mu.Lock()
	for _, d := range repo.deployments {
		if (query.Get("sha") == "" || query.Get("sha") == d.SHA) && (query.Get("environment") == "" || query.Get("environment") == d.Environment) {
			found = append(found, d)
		}
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, found)
}

// postDeployment answers "Create a deployment".
func (s *Server) postDeployment(w http.ResponseWriter, r *http.Request, repo *repository) {
	if !s.deploys(w, r, repo) {
		return
	}
	var wanted struct {
		Ref              string    `json:"ref"`
		Environment      string    `json:"environment"`
		Description      string    `json:"description"`
		AutoMerge        *bool     `json:"auto_merge"`
		RequiredContexts *[]string `json:"required_contexts"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	commit, err := repo.commit(r.Context(), wanted.Ref)
	switch {
	case errors.Is(err, errNoObject), err == nil && !core.ValidCommit(commit):
		refuse(w, http.StatusUnprocessableEntity, "No ref found for: "+wanted.Ref)
		return
	case err != nil:
		s.broken(w, err)
		return
	case wanted.RequiredContexts == nil || len(*wanted.RequiredContexts) > 0:
		// As for a commit whose checks, ours among them, have not all passed.
		refuse(w, http.StatusConflict, "Conflict: Commit status checks failed for "+wanted.Ref+".")
		return
	}
	if wanted.Environment == "" {
		wanted.Environment = "production"
	}
	s.mu.Lock()
	s.statusCount++
	d := &Deployment{ID: s.statusCount, SHA: commit, Environment: wanted.Environment, Description: wanted.Description}
	repo.deployments = append([]*Deployment{d}, repo.deployments...)
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, d)
}

// postDeploymentStatus answers "Create a deployment status".
func (s *Server) postDeploymentStatus(w http.ResponseWriter, r *http.Request, repo *repository) {
	if !s.deploys(w, r, repo) {
		return
	}
	var status DeploymentStatus
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&status); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	if !slices.Contains([]string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}, status.State) {
		invalid(w, "DeploymentStatus", "state", "custom")
		return
	}
	s.mu.Lock()
	found := false
	for _, d := range repo.deployments {
		if strconv.FormatInt(d.ID, 10) == r.PathValue("id") {
			d.Statuses = append(d.Statuses, status)
			found = true
		}
	}
	s.mu.Unlock()
	if !found {
		notFound(w)
		return
	}
	writeJSON(w, http.StatusCreated, status)
}
