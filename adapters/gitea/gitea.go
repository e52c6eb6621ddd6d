// Package gitea implements the port [deploy.Forge] for one Gitea, Forgejo or Gogs by
// its REST API: files, archives, commit statuses, runs of Actions and the user of a
// token. Gogs has no commit statuses and no Actions.
//
// A token needs the scopes read:repository and read:user, and write:repository for
// commit statuses.
package gitea

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Options configure a [Client]. URL is required.
type Options struct {
	URL          string   // of the server
	Gogs         bool     // it is a Gogs
	PrivateHosts []string // host names that may have private addresses; literal ones may always
	Now          func() time.Time
	Logger       *slog.Logger // of outages
}

const (
	kind          = "gitea"
	statusContext = "webhooks/deploy"
	// maxDescription is the longest description of a status, in characters.
	maxDescription = 255
	perPage        = 50 // the servers' maximum by default
)

// Client calls the API of one server. It may be used concurrently.
type Client struct {
	base *url.URL
	gogs bool
	http *forgehttp.Client
}

var (
	_ deploy.Forge = (*Client)(nil)
	_ auth.Login   = (*Client)(nil)
)

// New returns a Client. It fails if the URL is invalid.
func New(o Options) (*Client, error) {
	base, err := forgehttp.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("gitea: %w", err)
	}
	c, err := forgehttp.New(forgehttp.Options{
		Name: kind, URLs: []string{o.URL}, PrivateHosts: o.PrivateHosts, Now: o.Now, Logger: o.Logger,
		Authorize: func(h http.Header, token core.Secret) { h.Set("Authorization", "token "+token.Reveal()) },
	})
	if err != nil {
		return nil, err
	}
	return &Client{base, o.Gogs, c}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.Close() }

// Hosts returns the host whose repositories the API serves.
func (c *Client) Hosts() []string { return []string{c.base.Host} }

// Pairing returns the forge as accounts are paired with it.
func (c *Client) Pairing() auth.Forge {
	return auth.Forge{
		Kind: kind, Host: c.base.Host, Name: "Gitea",
		Help:   "make an access token in the settings of your account on " + c.base.Host + ", under Applications, and send that after the colon",
		Failed: core.CodeForgePairingFailed, Login: c,
	}
}

// repository returns a call about a repository; parts are those of the path. query
// begins with a question mark.
func (c *Client) repository(doing string, r core.Repository, token core.Secret, query string, parts ...string) (forgehttp.Call, error) {
	doing += " of " + r.Slug()
	path, ok := forgehttp.Path(append([]string{r.Owner, r.Name}, parts...)...)
	if !ok || !core.ValidRepositoryPart(r.Owner) || !core.ValidRepositoryPart(r.Name) {
		return forgehttp.Call{}, fmt.Errorf("gitea: %s: %w", doing, core.ErrNotFound)
	}
	return forgehttp.Call{Doing: doing, URL: c.base.String() + "api/v1/repos/" + path + query, Token: token}, nil
}

// File returns a file at a commit, as [deploy.Forge] specifies.
func (c *Client) File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) ([]byte, error) {
	parts, query := append([]string{"raw"}, strings.Split(path, "/")...), "?ref="+url.QueryEscape(commit)
	if c.gogs {
		parts, query = append([]string{"raw", commit}, strings.Split(path, "/")...), ""
	}
	call, err := c.repository(fmt.Sprintf("read %q", path), r, token, query, parts...)
	if err == nil && commit == "" { // the default branch would be used
		err = fmt.Errorf("gitea: %s: %w", call.Doing, core.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return c.http.File(ctx, call)
}

// Archive opens the tree of a commit, as [deploy.Forge] specifies.
func (c *Client) Archive(ctx context.Context, r core.Repository, commit string, token core.Secret) (io.ReadCloser, error) {
	call, err := c.repository("fetch the archive", r, token, "", "archive", commit+".tar.gz")
	if err == nil && commit == "" {
		err = fmt.Errorf("gitea: %s: %w", call.Doing, core.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return c.http.Open(ctx, call)
}

// DefaultBranch returns the default branch, as [deploy.Forge] specifies.
func (c *Client) DefaultBranch(ctx context.Context, r core.Repository, token core.Secret) (string, error) {
	call, err := c.repository("read the settings", r, token, "")
	if err != nil {
		return "", err
	}
	var repository struct {
		DefaultBranch string `json:"default_branch"`
	}
	_, err = c.http.JSON(ctx, call, &repository)
	return repository.DefaultBranch, err
}

// CommitStatus sets the status of a commit, as [deploy.Forge] specifies. On Gogs it
// does nothing.
func (c *Client) CommitStatus(ctx context.Context, r core.Repository, commit string, s deploy.CommitStatus, token core.Secret) error {
	if c.gogs {
		return nil
	}
	call, err := c.repository("set the status of a commit", r, token, "", "statuses", commit)
	if err != nil {
		return err
	}
	state := s.State
	if state == "inactive" {
		state = "success"
	}
	call.Method = http.MethodPost
	call.Body = map[string]string{
		"context": statusContext, "state": state, "target_url": s.TargetURL, "description": forgehttp.Cut(s.Description, maxDescription),
	}
	_, err = c.http.JSON(ctx, call, nil)
	return err
}

// Checks returns the newest run of each workflow of a commit and its newest commit
// status of each context, as [deploy.Forge] specifies. A server that lists no runs, as
// an old one, has statuses alone, which then count as the forge's own CI: Actions sets
// one for each job, and so does another CI. The key of a workflow is
// ".gitea/workflows/FILE" whichever folder it is in.
func (c *Client) Checks(ctx context.Context, r core.Repository, commit string, token core.Secret) ([]deploy.Check, error) {
	if c.gogs {
		return nil, nil
	}
	runs, err := c.runs(ctx, r, commit, token)
	if err != nil {
		return nil, err
	}
	call, err := c.repository("list the commit statuses", r, token, "?limit="+strconv.Itoa(perPage), "commits", commit, "status")
	if err != nil {
		return nil, err
	}
	var combined struct {
		Statuses []struct {
			Context string    `json:"context"`
			State   string    `json:"status"`
			URL     string    `json:"target_url"`
			Created time.Time `json:"created_at"`
		} `json:"statuses"`
	}
	call.Polled = true
	if _, err := c.http.JSON(ctx, call, &combined); err != nil {
		return nil, err
	}
	checks := runs
	for _, s := range combined.Statuses {
		if s.Context == statusContext {
			continue
		}
		checks = append(checks, deploy.Check{
			Key: "status:" + s.Context, Name: s.Context, State: statusState(s.State), Detail: s.State, Since: s.Created, URL: s.URL,
			Event: otherEvent(s.Context), Own: len(runs) == 0,
		})
	}
	return checks, nil
}

// otherEvent returns what started the job whose status has a context, "" if that is not
// known or was a push, which a status names no branch of. Actions makes the context
// "WORKFLOW / JOB (EVENT)".
func otherEvent(context string) string {
	open := strings.LastIndex(context, " (")
	if open < 0 || !strings.HasSuffix(context, ")") {
		return ""
	}
	switch event := context[open+2 : len(context)-1]; event {
	case "pull_request", "pull_request_sync", "pull_request_target", "schedule", "workflow_dispatch", "release":
		return event
	}
	return ""
}

// runs returns the newest run of each workflow, event and branch; none if the server
// does not list them.
func (c *Client) runs(ctx context.Context, r core.Repository, commit string, token core.Secret) ([]deploy.Check, error) {
	call, err := c.repository("list the workflow runs", r, token, "?head_sha="+url.QueryEscape(commit)+"&limit="+strconv.Itoa(perPage), "actions", "runs")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Runs []struct {
			Number     int64  `json:"run_number"`
			Path       string `json:"path"` // such as "ci.yml@refs/heads/main"
			Event      string `json:"event"`
			Branch     string `json:"head_branch"`
			SHA        string `json:"head_sha"`
			Status     string `json:"status"`
			Conclusion string `json:"conclusion"`
			URL        string `json:"html_url"`
			Started    string `json:"started_at"`

			// Forgejo has names of its own.
			Workflow string `json:"workflow_id"`
			Index    int64  `json:"index_in_repo"`
			Ref      string `json:"prettyref"`
			Commit   string `json:"commit_sha"`
		} `json:"workflow_runs"`
	}
	call.Polled = true
	if _, err := c.http.JSON(ctx, call, &answer); err != nil {
		if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrForbidden) {
			return nil, nil // an old server, or one without Actions
		}
		return nil, err
	}
	var checks []deploy.Check
	known := map[[3]string]bool{}
	for _, run := range answer.Runs { // the newest first
		file, _, _ := strings.Cut(run.Path, "@")
		if file == "" {
			file = run.Workflow
		}
		branch, number := run.Branch, run.Number
		if branch == "" {
			branch = run.Ref
		}
		if number == 0 {
			number = run.Index
		}
		id := [3]string{file, run.Event, branch}
		// A server that does not know the parameter lists the runs of other commits.
		if file == "" || known[id] || run.SHA != commit && run.Commit != commit {
			continue
		}
		known[id] = true
		check := deploy.Check{
			Key: ".gitea/workflows/" + file[strings.LastIndexByte(file, '/')+1:], Name: file, Run: strconv.FormatInt(number, 10),
			Event: run.Event, Branch: branch, State: runState(run.Status, run.Conclusion), Detail: run.Conclusion, URL: run.URL, Own: true,
		}
		if check.Detail == "" {
			check.Detail = run.Status
		}
		check.Since, _ = time.Parse(time.RFC3339, run.Started) // zero if it is not known
		checks = append(checks, check)
	}
	return checks, nil
}

// runState maps the status and the conclusion of a run. Forgejo has no conclusions: the
// status of a run that has ended is its result. A conclusion that is not known has not
// passed.
func runState(status, conclusion string) deploy.CheckState {
	switch status {
	case "completed":
	case "success", "failure", "cancelled", "skipped":
		conclusion = status
	default: // "queued", "waiting", "in_progress" and so on
		return deploy.CheckRunning
	}
	switch conclusion {
	case "success":
		return deploy.CheckPassed
	case "skipped", "neutral":
		return deploy.CheckNeutral
	case "cancelled":
		return deploy.CheckCanceled
	}
	return deploy.CheckFailed
}

// statusState maps the state of a commit status. One that is not known yet does not end
// the check.
func statusState(state string) deploy.CheckState {
	switch state {
	case "success":
		return deploy.CheckPassed
	case "failure", "error", "warning":
		return deploy.CheckFailed
	case "skipped":
		return deploy.CheckNeutral
	}
	return deploy.CheckRunning // "pending"
}

// Login returns the user of a token, as [auth.Login] specifies.
func (c *Client) Login(ctx context.Context, token core.Secret) (string, []string, error) {
	call := forgehttp.Call{Doing: "read the user of a token", URL: c.base.String() + "api/v1/user", Token: token}
	if token.IsZero() {
		return "", nil, fmt.Errorf("gitea: %s: no token is given: %w", call.Doing, core.ErrUnauthorized)
	}
	var user struct {
		Login    string `json:"login"`
		Username string `json:"username"` // of Gogs
	}
	if _, err := c.http.JSON(ctx, call, &user); err != nil {
		return "", nil, err
	}
	if user.Login == "" {
		user.Login = user.Username
	}
	if user.Login == "" {
		return "", nil, core.Transient(fmt.Errorf("gitea: %s: the answer has no login", call.Doing), 0)
	}
	return user.Login, nil, nil
}
