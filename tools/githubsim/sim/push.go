package sim

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// Pushed finds the refs of the repository that changed since its last call, or since
// the repository was created, and delivers the events that GitHub sends for each:
// push, and before it create or delete. It returns when all webhooks have answered.
// For more than three tags at once GitHub sends no events.
func (s *Server) Pushed(ctx context.Context, owner, name string) ([]Delivery, error) {
	r, err := s.find(owner, name)
	if err != nil {
		return nil, err
	}
	r.push.Lock()
	defer r.push.Unlock()
	now, err := r.refs(ctx)
	if err != nil {
		return nil, err
	}
	var news []Delivery
	for _, m := range moves(r.seen, now) {
		event, err := s.pushEvents(ctx, r, m)
		if err != nil {
			return nil, err
		}
		news = append(news, event...)
	}
	// From here on they count as delivered: GitHub does not retry either.
	r.seen = now
	var all []Delivery
	for _, d := range news {
		all = append(all, s.deliverAll(ctx, r, d)...)
	}
	return all, nil
}

// move is the change of a ref.
type move struct {
	ref           string
	before, after string            // "" for none
	known         map[string]string // the refs before
	refs          map[string]string // the refs after
}

func (m move) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(m.ref, "refs/heads/"), "refs/tags/")
}

func (m move) tag() bool { return strings.HasPrefix(m.ref, "refs/tags/") }

// moves returns the changes from one state of the refs to another: first branches,
// each kind by name.
func moves(before, after map[string]string) []move {
	all := map[string]bool{}
	for ref := range before {
		all[ref] = true
	}
	for ref := range after {
		all[ref] = true
	}
	var branches, tags []move
	for _, ref := range slices.Sorted(maps.Keys(all)) {
		m := move{ref, before[ref], after[ref], before, after}
		switch {
		case m.before == m.after:
		case m.tag():
			tags = append(tags, m)
		default:
			branches = append(branches, m)
		}
	}
	if len(tags) > 3 {
		tags = nil
	}
	return append(branches, tags...)
}

// pushEvents returns the deliveries for a move, without their hook.
func (s *Server) pushEvents(ctx context.Context, r *repository, m move) ([]Delivery, error) {
	repo, err := s.repositoryJSON(ctx, r)
	if err != nil {
		return nil, err
	}
	var events []Delivery
	if m.before == "" || m.after == "" {
		kind, event := "branch", "create"
		if m.tag() {
			kind = "tag"
		}
		if m.after == "" {
			event = "delete"
		}
		payload, err := json.Marshal(map[string]any{
			"ref": m.short(), "ref_type": kind, "master_branch": repo.DefaultBranch, "description": nil,
			"pusher_type": "user", "repository": repo, "sender": s.userJSON(r.owner),
		})
		if err != nil {
			return nil, err
		}
		events = append(events, Delivery{Event: event, Ref: m.ref, Payload: payload})
	}
	push, err := s.pushJSON(ctx, r, m, repo)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(push)
	if err != nil {
		return nil, err
	}
	return append(events, Delivery{Event: "push", Ref: m.ref, Payload: payload}), nil
}

// pushJSON is the payload of a push (docs.github.com, "Webhook events and
// payloads"; octokit/webhooks, payload-examples/push).
type pushJSON struct {
	Ref        string         `json:"ref"`
	Before     string         `json:"before"`
	After      string         `json:"after"`
	Repository repositoryJSON `json:"repository"`
	Pusher     personJSON     `json:"pusher"`
	Sender     userJSON       `json:"sender"`
	Created    bool           `json:"created"`
	Deleted    bool           `json:"deleted"`
	Forced     bool           `json:"forced"`
	BaseRef    *string        `json:"base_ref"`
	Compare    string         `json:"compare"`
	Commits    []commitJSON   `json:"commits"`
	HeadCommit *commitJSON    `json:"head_commit"`
}

func (s *Server) pushJSON(ctx context.Context, r *repository, m move, repo repositoryJSON) (pushJSON, error) {
	// Some fields of the repository have another form in a push.
	repo.URL = repo.HTMLURL
	repo.Owner.Name, repo.Owner.Email = r.owner, emailOf(r.owner)
	repo.CreatedAt, repo.PushedAt = r.created.Unix(), s.options.Now().Unix()
	repo.MasterBranch = repo.DefaultBranch

	zero := strings.Repeat("0", max(len(m.before), len(m.after)))
	p := pushJSON{
		Ref: m.ref, Before: m.before, After: m.after, Repository: repo,
		Pusher: personJSON{Name: r.owner, Email: emailOf(r.owner)}, Sender: s.userJSON(r.owner),
		Created: m.before == "", Deleted: m.after == "", Commits: []commitJSON{},
	}
	if p.Created {
		p.Before = zero
	}
	if p.Deleted {
		p.After = zero
	}
	p.Compare = repo.HTMLURL + "/compare/" + p.Before[:12] + "..." + p.After[:12]
	if p.Created {
		p.Compare = repo.HTMLURL + "/compare/" + m.short()
	}
	if p.Deleted {
		return p, nil
	}
	head, err := r.resolve(ctx, m.after+"^{commit}")
	if errors.Is(err, errNoObject) { // the tag of another object
		return p, nil
	} else if err != nil {
		return p, err
	}
	if p.Forced, err = r.forced(ctx, m); err != nil {
		return p, err
	}
	if p.Created {
		p.BaseRef = m.base(head, repo.DefaultBranch)
	}
	heads, err := s.commits(ctx, r, []string{head}, nil)
	if err != nil {
		return p, err
	}
	p.HeadCommit = &heads[0]
	if m.tag() {
		return p, nil
	}
	p.Commits, err = s.pushedCommits(ctx, r, m)
	return p, err
}

// base returns the branch that a new ref was created from: one with the same commit,
// preferably the default branch; nil if there is none.
func (m move) base(head, defaultBranch string) *string {
	for _, ref := range append([]string{"refs/heads/" + defaultBranch}, slices.Sorted(maps.Keys(m.refs))...) {
		if ref != m.ref && strings.HasPrefix(ref, "refs/heads/") && m.refs[ref] == head {
			return &ref
		}
	}
	return nil
}

// forced reports whether a ref moved to a commit that is not a descendant of its
// former one.
func (r *repository) forced(ctx context.Context, m move) (bool, error) {
	if m.before == "" || m.after == "" {
		return false, nil
	}
	_, err := r.git(ctx, "merge-base", "--is-ancestor", m.before, m.after)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return true, nil
	}
	return false, err
}
