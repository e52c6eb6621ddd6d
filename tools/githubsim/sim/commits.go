package sim

import (
	"context"
	"strings"
)

// maxCommits is the most commits that a push lists (docs.github.com, "Webhook
// events and payloads").
const maxCommits = 2048

type personJSON struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Date  string `json:"date,omitempty"`
}

// commitJSON is a commit in the payload of a push.
type commitJSON struct {
	ID        string     `json:"id"`
	TreeID    string     `json:"tree_id"`
	Distinct  bool       `json:"distinct"`
	Message   string     `json:"message"`
	Timestamp string     `json:"timestamp"`
	URL       string     `json:"url"`
	Author    personJSON `json:"author"`
	Committer personJSON `json:"committer"`
	Added     []string   `json:"added"`
	Removed   []string   `json:"removed"`
	Modified  []string   `json:"modified"`
}

// pushedCommits returns the new commits of a branch. Those of a new branch are the
// ones that no ref had.
func (s *Server) pushedCommits(ctx context.Context, r *repository, m move) ([]commitJSON, error) {
	var known []string
	for _, object := range m.known {
		known = append(known, object)
	}
	fresh, err := r.revisions(ctx, m.after, known)
	if err != nil {
		return nil, err
	}
	listed := fresh
	if m.before != "" {
		if listed, err = r.revisions(ctx, m.after, []string{m.before}); err != nil {
			return nil, err
		}
	}
	distinct := map[string]bool{}
	for _, id := range fresh {
		distinct[id] = true
	}
	return s.commits(ctx, r, listed, distinct)
}

// revisions returns the ancestors of a commit, and itself, that are not ancestors of
// the others, oldest first.
func (r *repository) revisions(ctx context.Context, to string, but []string) ([]string, error) {
	args := []string{"rev-list", "--topo-order", "--reverse", to}
	for _, object := range but {
		args = append(args, "^"+object)
	}
	out, err := r.git(ctx, args...)
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(out))
	return ids[max(len(ids)-maxCommits, 0):], nil
}

// commits describes commits. distinct are the new ones; nil is all.
func (s *Server) commits(ctx context.Context, r *repository, ids []string, distinct map[string]bool) ([]commitJSON, error) {
	if len(ids) == 0 {
		return []commitJSON{}, nil
	}
	const format = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
	const fields = 10
	out, err := r.git(ctx, append([]string{"log", "-z", "--no-walk=unsorted", "--encoding=UTF-8", format}, ids...)...)
	if err != nil {
		return nil, err
	}
	var all []commitJSON
	for f := strings.Split(string(out), "\x00"); len(f) >= fields; f = f[fields:] {
		c := commitJSON{
			ID: f[0], TreeID: f[1], Distinct: distinct == nil || distinct[f[0]], Message: strings.TrimSpace(f[9]),
			Timestamp: f[8], URL: s.options.WebURL + "/" + r.slug() + "/commit/" + f[0],
			Author: personJSON{f[3], f[4], f[5]}, Committer: personJSON{f[6], f[7], f[8]},
			Added: []string{}, Removed: []string{}, Modified: []string{},
		}
		if err := r.files(ctx, &c, strings.Fields(f[2])); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// files fills in the paths that a commit changed against its first parent.
func (r *repository) files(ctx context.Context, c *commitJSON, parents []string) error {
	args := []string{"diff-tree", "-r", "-z", "--no-commit-id", "--name-status", "--no-renames"}
	if len(parents) == 0 {
		args = append(args, "--root", c.ID)
	} else {
		args = append(args, parents[0], c.ID)
	}
	out, err := r.git(ctx, args...)
	if err != nil {
		return err
	}
	for f := strings.Split(string(out), "\x00"); len(f) >= 2; f = f[2:] {
		switch f[0] {
		case "A":
			c.Added = append(c.Added, f[1])
		case "D":
			c.Removed = append(c.Removed, f[1])
		default:
			c.Modified = append(c.Modified, f[1])
		}
	}
	return nil
}
