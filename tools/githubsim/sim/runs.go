package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Run is a run of a workflow.
type Run struct {
	ID      int64  // 0 in SetRun: a new run
	Path    string // of the workflow; default ".github/workflows/ci.yml"
	Name    string // of the workflow; default "CI"
	Title   string // of the run; default "Change"
	Event   string // default "push"
	Branch  string // default "main"; "" in the list of GitHub if the run is of a fork
	SHA     string
	Attempt int // default 1
	// Status is "queued", "in_progress" and so on. The default is "completed" if there is
	// a Conclusion, else "in_progress".
	Status     string
	Conclusion string // "success", "failure" and so on; "" while it runs
	Fork       bool   // the head is in a fork
	Started    time.Time

	number int64
}

// SetRun adds a run of a workflow, or changes the one with that ID, and delivers the
// event workflow_run and, if the run has ended, check_suite. It returns the run and the
// deliveries.
func (s *Server) SetRun(ctx context.Context, owner, name string, run Run) (Run, []Delivery, error) {
	r, err := s.find(owner, name)
	if err != nil {
		return Run{}, nil, err
	}
	run = s.storeRun(r, run)
	repo, err := s.repositoryJSON(ctx, r)
	if err != nil {
		return Run{}, nil, err
	}
	event := map[string]any{
		"action":       "in_progress",
		"workflow_run": s.runJSON(r, run, repo),
		"workflow":     map[string]any{"id": idOf("workflow", run.Path), "name": run.Name, "path": run.Path, "state": "active"},
		"repository":   repo, "sender": s.userJSON(r.owner),
	}
	if run.Status == "completed" {
		event["action"] = "completed"
	}
	sent, err := s.deliverJSON(ctx, r, "workflow_run", event)
	if err != nil || run.Status != "completed" {
		return run, sent, err
	}
	suite, err := s.deliverJSON(ctx, r, "check_suite", map[string]any{
		"action":      "completed",
		"check_suite": suiteJSON(run, idOf("suite", strconv.FormatInt(run.ID, 10)), "github-actions", 1),
		"repository":  repo, "sender": s.userJSON(r.owner),
	})
	return run, append(sent, suite...), err
}

// SendEmptySuite delivers the check suite of another app that checks nothing: it stays
// queued for ever.
func (s *Server) SendEmptySuite(ctx context.Context, owner, name, sha string) ([]Delivery, error) {
	r, err := s.find(owner, name)
	if err != nil {
		return nil, err
	}
	repo, err := s.repositoryJSON(ctx, r)
	if err != nil {
		return nil, err
	}
	suite := suiteJSON(Run{SHA: sha, Branch: "main", Status: "queued"}, idOf("suite", sha), "another-app", 0)
	return s.deliverJSON(ctx, r, "check_suite", map[string]any{
		"action": "requested", "check_suite": suite, "repository": repo, "sender": s.userJSON(r.owner),
	})
}

func (s *Server) deliverJSON(ctx context.Context, r *repository, event string, v any) ([]Delivery, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("sim: %s: %w", event, err)
	}
	return s.deliverAll(ctx, r, Delivery{Event: event, Payload: payload}), nil
}

// storeRun keeps a run with its defaults.
func (s *Server) storeRun(r *repository, run Run) Run {
	run.Path = cmp.Or(run.Path, ".github/workflows/ci.yml")
	run.Name, run.Title = cmp.Or(run.Name, "CI"), cmp.Or(run.Title, "Change")
	run.Event = cmp.Or(run.Event, "push")
	run.Branch = cmp.Or(run.Branch, "main")
	run.Attempt = cmp.Or(run.Attempt, 1)
	status := "in_progress"
	if run.Conclusion != "" {
		status = "completed"
	}
	run.Status = cmp.Or(run.Status, status)
	if run.Started.IsZero() {
		run.Started = s.options.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if run.ID == 0 {
		s.runCount++
		run.ID = 4710 + s.runCount
	}
	run.number = run.ID
	at := slices.IndexFunc(r.runs, func(old Run) bool { return old.ID == run.ID })
	if at < 0 {
		r.runs = append([]Run{run}, r.runs...)
	} else {
		r.runs[at] = run
	}
	return run
}

// runJSON is a run in answers and payloads (docs.github.com, "REST API endpoints for
// workflow runs").
func (s *Server) runJSON(r *repository, run Run, repo repositoryJSON) map[string]any {
	head := repo.ID
	if run.Fork {
		head = idOf("fork", repo.FullName)
	}
	stamp := run.Started.UTC().Format(time.RFC3339)
	return map[string]any{
		"id": run.ID, "name": run.Name, "path": run.Path, "workflow_id": idOf("workflow", run.Path),
		"run_number": run.number, "run_attempt": run.Attempt, "event": run.Event, "display_title": run.Title,
		"status": run.Status, "conclusion": orNull(run.Conclusion), "head_branch": orNull(run.Branch), "head_sha": run.SHA,
		"html_url":        s.options.WebURL + "/" + r.slug() + "/actions/runs/" + strconv.FormatInt(run.ID, 10),
		"repository":      map[string]any{"id": repo.ID, "full_name": repo.FullName},
		"head_repository": map[string]any{"id": head}, "pull_requests": []any{},
		"run_started_at": stamp, "created_at": stamp, "updated_at": stamp, "triggering_actor": nil,
	}
}

func suiteJSON(run Run, id int64, app string, runs int) map[string]any {
	return map[string]any{
		"id": id, "head_branch": orNull(run.Branch), "head_sha": run.SHA, "status": run.Status, "conclusion": orNull(run.Conclusion),
		"before": nil, "after": run.SHA, "pull_requests": []any{}, "app": map[string]any{"id": idOf("app", app), "slug": app},
		"latest_check_runs_count": runs,
	}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// getRuns answers "List workflow runs for a repository", on pages.
func (s *Server) getRuns(w http.ResponseWriter, r *http.Request, repo *repository) {
	about, err := s.repositoryJSON(r.Context(), repo)
	if err != nil {
		s.broken(w, err)
		return
	}
	query := r.URL.Query()
	s.mu.Lock()
	list := []map[string]any{}
	for _, run := range repo.runs {
		if sha := query.Get("head_sha"); (sha == "" || sha == run.SHA) && (query.Get("event") == "" || query.Get("event") == run.Event) {
			list = append(list, s.runJSON(repo, run, about))
		}
	}
	s.mu.Unlock()
	perPage, page := 30, 1
	if n, err := strconv.Atoi(query.Get("per_page")); err == nil && n > 0 {
		perPage = min(n, 100)
	}
	if n, err := strconv.Atoi(query.Get("page")); err == nil && n > 0 {
		page = n
	}
	total := len(list)
	list = list[min((page-1)*perPage, total):]
	if len(list) > perPage {
		list = list[:perPage]
		query.Set("page", strconv.Itoa(page+1))
		w.Header().Set("Link", "<"+s.URL()+"repos/"+repo.slug()+"/actions/runs?"+query.Encode()+`>; rel="next"`)
	}
	writeJSON(w, http.StatusOK, map[string]any{"total_count": total, "workflow_runs": list})
}

// getCombinedStatus answers "Get the combined status for a specific reference".
func (s *Server) getCombinedStatus(w http.ResponseWriter, r *http.Request, repo *repository) {
	commit, err := repo.commit(r.Context(), r.PathValue("ref"))
	if errors.Is(err, errNoObject) {
		notFound(w)
		return
	} else if err != nil {
		s.broken(w, err)
		return
	}
	newest := []Status{}
	state := "pending" // also if there is none
	for _, one := range s.Statuses(repo.owner, repo.name, commit) {
		if !slices.ContainsFunc(newest, func(known Status) bool { return known.Context == one.Context }) {
			newest = append(newest, one)
		}
	}
	switch {
	case slices.ContainsFunc(newest, func(one Status) bool { return one.State == "failure" || one.State == "error" }):
		state = "failure"
	case len(newest) > 0 && !slices.ContainsFunc(newest, func(one Status) bool { return one.State != "success" }):
		state = "success"
	}
	writeJSON(w, http.StatusOK, map[string]any{"state": state, "sha": commit, "total_count": len(newest), "statuses": newest})
}

// SetStatus sets a commit status as another system does, and delivers the event
// status.
func (s *Server) SetStatus(ctx context.Context, owner, name, sha, about, state string) ([]Delivery, error) {
	r, err := s.find(owner, name)
	if err != nil {
		return nil, err
	}
	now := s.options.Now().UTC().Truncate(time.Second)
	status := Status{State: state, Context: about, CreatedAt: now, UpdatedAt: now, Creator: s.userJSON(owner)}
	s.mu.Lock()
	s.statusCount++
	status.ID = s.statusCount
	r.statuses[sha] = append([]Status{status}, r.statuses[sha]...)
	s.mu.Unlock()
	return s.sendStatus(ctx, r, sha, status)
}

// sendStatus delivers the event status.
func (s *Server) sendStatus(ctx context.Context, r *repository, sha string, status Status) ([]Delivery, error) {
	repo, err := s.repositoryJSON(ctx, r)
	if err != nil {
		return nil, err
	}
	if !core.ValidCommit(sha) {
		return nil, fmt.Errorf("sim: status of %q: %w", sha, core.ErrNotFound)
	}
	return s.deliverJSON(ctx, r, "status", map[string]any{
		"id": status.ID, "sha": sha, "name": r.slug(), "context": status.Context, "state": status.State,
		"description": status.Description, "target_url": status.TargetURL, "branches": []any{},
		"repository": repo, "sender": s.userJSON(r.owner),
	})
}
