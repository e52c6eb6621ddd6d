package forgesim

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Delivery is the answer to one POST of a webhook.
type Delivery struct {
	Event  string
	Status int
	Body   []byte
	Header http.Header
}

// Pushed delivers a push for each branch that moved since its last call, and returns
// the answers.
func (s *Server) Pushed(ctx context.Context, owner, name string) ([]Delivery, error) {
	r, err := s.find(owner + "/" + name)
	if err != nil {
		return nil, err
	}
	now, err := r.branches(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	before := r.seen
	r.seen = now
	s.mu.Unlock()
	var all []Delivery
	for _, branch := range slices.Sorted(maps.Keys(now)) {
		if now[branch] == before[branch] {
			continue
		}
		event, payload := s.pushJSON(ctx, r, branch, cmp.Or(before[branch], zero), now[branch])
		sent, err := s.deliver(ctx, r, event, payload)
		if err != nil {
			return nil, err
		}
		all = append(all, sent...)
	}
	return all, nil
}

// Repeat sends the newest delivery again, with the same id.
func (s *Server) Repeat(ctx context.Context, owner, name string) (Delivery, error) {
	r, err := s.find(owner + "/" + name)
	if err != nil {
		return Delivery{}, err
	}
	s.mu.Lock()
	last := r.sent[len(r.sent)-1]
	s.mu.Unlock()
	return s.post(ctx, r, last.hook, last.event, last.key, last.payload)
}

// SetCheck adds a check, or changes the one with that ID, and delivers its event. It
// returns the check. On Gitea and Forgejo a state that ends a run is its conclusion.
func (s *Server) SetCheck(ctx context.Context, owner, name string, c Check) (Check, []Delivery, error) {
	r, err := s.find(owner + "/" + name)
	if err != nil {
		return Check{}, nil, err
	}
	c.Branch, c.Source = cmp.Or(c.Branch, "main"), cmp.Or(c.Source, "push")
	c.conclusion = ""
	if (s.kind == Gitea || s.kind == Forgejo) && !slices.Contains([]string{"queued", "waiting", "in_progress", "running", "completed"}, c.State) {
		c.conclusion, c.State = c.State, "completed"
	}
	s.mu.Lock()
	at := slices.IndexFunc(r.checks, func(old Check) bool { return old.ID == c.ID })
	if at < 0 {
		s.count++
		c.ID, c.created = 30+s.count, time.Now()
		r.checks = append([]Check{c}, r.checks...)
	} else {
		c.created = r.checks[at].created
		r.checks[at] = c
	}
	s.mu.Unlock()
	if s.kind == DataCenter || s.kind == Forgejo && c.conclusion == "" { // it has no event for that
		return c, nil, nil
	}
	event, payload := s.checkJSON(r, c)
	sent, err := s.deliver(ctx, r, event, payload)
	return c, sent, err
}

// pushJSON returns the event of a push and its payload.
func (s *Server) pushJSON(ctx context.Context, r *repository, branch, before, after string) (string, any) {
	page := s.URL() + "/" + r.slug()
	commit := map[string]any{
		"id": after, "message": r.message(ctx, after), "timestamp": time.Now().Format(time.RFC3339), "url": page + "/commit/" + after,
		"author": map[string]string{"name": "Ada", "email": "ada@example.com"}, "added": []string{}, "modified": []string{}, "removed": []string{},
	}
	switch s.kind {
	case GitLab:
		return "Push Hook", map[string]any{
			"object_kind": "push", "event_name": "push", "before": before, "after": after, "ref": "refs/heads/" + branch,
			"checkout_sha": after, "project": s.projectJSON(r), "commits": []any{commit}, "total_commits_count": 1,
		}
	case DataCenter:
		return "repo:refs_changed", map[string]any{
			"eventKey": "repo:refs_changed", "repository": s.projectJSON(r),
			"changes": []any{map[string]any{
				"ref": map[string]string{"id": "refs/heads/" + branch, "displayId": branch, "type": "BRANCH"}, "refId": "refs/heads/" + branch,
				"fromHash": before, "toHash": after, "type": "UPDATE",
			}},
			"toCommit": map[string]any{
				"id": after, "message": r.message(ctx, after), "author": map[string]string{"name": "Ada", "emailAddress": "ada@example.com"},
				"authorTimestamp": time.Now().UnixMilli(),
			},
		}
	case Bitbucket:
		return "repo:push", map[string]any{
			"push": map[string]any{"changes": []any{map[string]any{
				"new": map[string]any{"type": "branch", "name": branch, "target": map[string]any{
					"type": "commit", "hash": after, "message": r.message(ctx, after), "date": time.Now().Format(time.RFC3339),
				}},
				"old": nil, "created": true, "closed": false, "commits": []any{map[string]any{"hash": after}},
			}}},
			"repository": s.projectJSON(r),
		}
	}
	payload := map[string]any{
		"ref": "refs/heads/" + branch, "before": before, "after": after, "compare_url": page + "/compare/" + before + "..." + after,
		"commits": []any{commit}, "total_commits": 1, "repository": s.projectJSON(r),
	}
	if s.kind != Gogs {
		payload["head_commit"] = commit
	}
	return "push", payload
}

// projectJSON is the repository in a payload.
func (s *Server) projectJSON(r *repository) map[string]any {
	page := s.URL() + "/" + r.slug()
	switch s.kind {
	case GitLab:
		return map[string]any{"id": 4711, "web_url": page, "path_with_namespace": r.slug(), "default_branch": "main"}
	case DataCenter: // it does not say where the repository is
		return map[string]any{"slug": r.name, "name": r.name, "project": map[string]any{"key": r.owner, "public": false}, "public": !r.private}
	case Bitbucket:
		return map[string]any{"type": "repository", "full_name": r.slug(), "is_private": r.private}
	}
	return map[string]any{
		"name": r.name, "full_name": r.slug(), "owner": map[string]string{"login": r.owner, "username": r.owner}, "html_url": page,
		"private": r.private, "default_branch": "main",
	}
}

// checkJSON returns the event of a check and its payload.
func (s *Server) checkJSON(r *repository, c Check) (string, any) {
	switch s.kind {
	case GitLab:
		return "Pipeline Hook", map[string]any{
			"object_kind": "pipeline", "project": s.projectJSON(r), "commit": map[string]any{"id": c.SHA},
			"object_attributes": map[string]any{
				"id": c.ID, "iid": c.ID, "ref": c.Branch, "tag": false, "sha": c.SHA, "source": c.Source, "status": c.State,
				"url": s.URL() + "/" + r.slug() + "/-/pipelines/" + strconv.FormatInt(c.ID, 10),
			},
		}
	case Bitbucket:
		return "repo:commit_status_updated", map[string]any{
			"repository": s.projectJSON(r),
			"commit_status": map[string]any{
				"type": "build", "key": "ci", "name": "Pipeline", "state": c.State, "refname": c.Branch, "url": s.URL() + "/pipelines",
				"links": map[string]any{"commit": map[string]string{"href": "https://api.bitbucket.org/2.0/repositories/" + r.slug() + "/commit/" + c.SHA}},
			},
		}
	}
	action := "in_progress"
	if c.State == "completed" {
		action = "completed"
	}
	run := s.runJSON(r, c)
	if s.kind == Forgejo {
		run["repository"] = s.projectJSON(r)
		event := map[string]string{"success": "action_run_success"}[c.conclusion]
		return cmp.Or(event, "action_run_failure"), map[string]any{"action": c.conclusion, "run": run, "prior_status": "running"}
	}
	return "workflow_run", map[string]any{
		"action": action, "workflow": map[string]string{"id": "ci.yml"}, "workflow_run": run, "repository": s.projectJSON(r),
	}
}

// deliver posts a payload to the webhooks of the repository.
func (s *Server) deliver(ctx context.Context, r *repository, event string, v any) ([]Delivery, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("forgesim: %w", err)
	}
	s.mu.Lock()
	hooks := slices.Clone(r.hooks)
	s.count++
	id := "delivery-" + strconv.FormatInt(s.count, 10)
	s.mu.Unlock()
	if len(hooks) == 0 {
		return nil, errNoHook
	}
	var all []Delivery
	for i := range hooks {
		s.mu.Lock()
		disabled := r.disabled[i]
		s.mu.Unlock()
		if disabled {
			continue
		}
		d, err := s.post(ctx, r, i, event, id, payload)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// post posts a payload to a webhook, and notes what came of it.
func (s *Server) post(ctx context.Context, r *repository, at int, event, key string, payload []byte) (Delivery, error) {
	s.mu.Lock()
	h := r.hooks[at]
	s.mu.Unlock()
	done := sent{hook: at, event: event, key: key, payload: payload}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count++
		done.id = s.count
		r.sent = append(r.sent, done)
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(payload))
	if err != nil {
		return Delivery{}, fmt.Errorf("forgesim: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	s.sign(req.Header, event, key, h.secret, payload)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Delivery{}, fmt.Errorf("forgesim: %w", err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return Delivery{}, fmt.Errorf("forgesim: %w", err)
	}
	done.status, done.header = resp.StatusCode, resp.Header
	return Delivery{event, resp.StatusCode, body, resp.Header}, nil
}

// sign adds the headers of a delivery. Without a secret some senders send them empty.
func (s *Server) sign(h http.Header, event, id, secret string, payload []byte) {
	digest := ""
	if secret != "" {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(payload)
		digest = hex.EncodeToString(mac.Sum(nil))
	}
	switch s.kind {
	case GitLab:
		h.Set("X-Gitlab-Event", event)
		h.Set("Idempotency-Key", id)
		h.Set("X-Gitlab-Instance", s.URL())
		if secret != "" {
			h.Set("X-Gitlab-Token", secret)
		}
		return
	case Bitbucket, DataCenter:
		h.Set("X-Event-Key", event)
		if s.kind == Bitbucket {
			h.Set("X-Request-Uuid", id)
		} else {
			h.Set("X-Request-Id", id)
		}
		if secret != "" {
			h.Set("X-Hub-Signature", "sha256="+digest)
		}
		return
	}
	prefixes := []string{"X-Gogs-"}
	if s.kind != Gogs {
		prefixes = append(prefixes, "X-Gitea-")
		h.Set("X-Github-Event", event)
		h.Set("X-Github-Delivery", id)
		h.Set("X-Hub-Signature-256", "sha256="+digest)
	}
	if s.kind == Forgejo {
		prefixes = append(prefixes, "X-Forgejo-")
	}
	for _, prefix := range prefixes {
		h.Set(prefix+"Event", event)
		h.Set(prefix+"Delivery", id)
		h.Set(prefix+"Signature", digest)
	}
}
