package sim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

// Status is a commit status.
type Status struct {
	ID          int64     `json:"id"`
	State       string    `json:"state"`
	Description *string   `json:"description"`
	TargetURL   *string   `json:"target_url"`
	Context     string    `json:"context"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	Creator     userJSON  `json:"creator"`
	URL         string    `json:"url"`
}

const (
	maxStatuses    = 1000 // for a commit and context
	maxDescription = 140  // characters
	maxBody        = 1 << 20
)

// Statuses returns the statuses of a commit, newest first.
func (s *Server) Statuses(owner, name, sha string) []Status {
	r, err := s.find(owner, name)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(r.statuses[sha])
}

// postStatus answers "Create a commit status".
func (s *Server) postStatus(w http.ResponseWriter, r *http.Request, repo *repository) {
	who := viewer(r.Context())
	switch {
	case who == nil:
		refuse(w, http.StatusUnauthorized, "Requires authentication")
		return
	case !s.belongs(who, repo) && who.scopes == nil:
		refuse(w, http.StatusForbidden, "Resource not accessible by personal access token")
		return
	case !s.belongs(who, repo), !who.may("repo", "repo:status") && (repo.private || !who.may("public_repo")):
		notFound(w)
		return
	}
	var wanted struct {
		State       string  `json:"state"`
		Description *string `json:"description"`
		TargetURL   *string `json:"target_url"`
		Context     string  `json:"context"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	sha := r.PathValue("sha")
	commit, err := repo.commit(r.Context(), sha)
	switch {
	case err != nil && !errors.Is(err, errNoObject):
		s.broken(w, err)
		return
	case err != nil, commit != sha, !core.ValidCommit(sha):
		refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
		return
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, wanted.State):
		invalid(w, "Status", "state", "custom")
		return
	case wanted.Description != nil && utf8.RuneCountInString(*wanted.Description) > maxDescription:
		invalid(w, "Status", "description", "custom")
		return
	case wanted.TargetURL != nil && *wanted.TargetURL != "" && !strings.HasPrefix(*wanted.TargetURL, "http://") && !strings.HasPrefix(*wanted.TargetURL, "https://"):
		invalid(w, "Status", "target_url", "custom")
		return
	}
	if wanted.Context == "" {
		wanted.Context = "default"
	}
	now := s.options.Now().UTC().Truncate(time.Second)
	status := Status{
		State: wanted.State, Description: wanted.Description, TargetURL: wanted.TargetURL, Context: wanted.Context,
		CreatedAt: now, UpdatedAt: now, Creator: s.userJSON(who.login), URL: s.URL() + "repos/" + repo.slug() + "/statuses/" + sha,
	}
	s.mu.Lock()
	same := 0
	for _, old := range repo.statuses[sha] {
		if strings.EqualFold(old.Context, status.Context) {
			same++
		}
	}
	if same < maxStatuses {
		s.statusCount++
		status.ID = s.statusCount
		repo.statuses[sha] = append([]Status{status}, repo.statuses[sha]...)
	}
	s.mu.Unlock()
	if same >= maxStatuses {
		invalid(w, "Status", "sha", "custom")
		return
	}
	writeJSON(w, http.StatusCreated, status)
	ctx := context.WithoutCancel(r.Context())
	s.serving.Go(func() { // after the answer
		if _, err := s.sendStatus(ctx, repo, sha, status); err != nil {
			s.options.Logger.Error("status not delivered", "error", err)
		}
	})
}

// getStatuses answers "List commit statuses for a reference", on one page.
func (s *Server) getStatuses(w http.ResponseWriter, r *http.Request, repo *repository) {
	commit, err := repo.commit(r.Context(), r.PathValue("ref"))
	if errors.Is(err, errNoObject) {
		notFound(w)
		return
	} else if err != nil {
		s.broken(w, err)
		return
	}
	list := s.Statuses(repo.owner, repo.name, commit)
	if list == nil {
		list = []Status{}
	}
	writeJSON(w, http.StatusOK, list)
}
