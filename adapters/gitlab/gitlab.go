// Package gitlab implements the port [deploy.Forge] for one GitLab by its REST API:
// files, archives, commit statuses, pipelines and the user of a token (docs.gitlab.com,
// "REST API").
//
// A token is a personal, group or project access token with the scope api, or read_api
// if no commit statuses are wanted.
package gitlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// DefaultURL is GitLab.com.
const DefaultURL = "https://gitlab.com"

// Options configure a [Client].
type Options struct {
	URL          string   // of the GitLab; default [DefaultURL]
	PrivateHosts []string // host names that may have private addresses; literal ones may always
	Now          func() time.Time
	Logger       *slog.Logger // of outages
}

const (
	kind          = "gitlab"
	statusContext = "webhooks/deploy"
	// maxDescription is the longest description of a status, in characters.
	maxDescription = 255
	perPage        = 100
)

// Client calls the API of one GitLab. It may be used concurrently.
type Client struct {
	base *url.URL
	http *forgehttp.Client
}

var (
	_ deploy.Forge       = (*Client)(nil)
	_ deploy.SingleCheck = (*Client)(nil)
	_ auth.Login         = (*Client)(nil)
)

// New returns a Client. It fails if the URL is invalid.
func New(o Options) (*Client, error) {
	o.URL = cmp.Or(o.URL, DefaultURL)
	base, err := forgehttp.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("gitlab: %w", err)
	}
	c, err := forgehttp.New(forgehttp.Options{
		Name: kind, URLs: []string{o.URL}, PrivateHosts: o.PrivateHosts, Now: o.Now, Logger: o.Logger,
		Authorize: func(h http.Header, token core.Secret) { h.Set("Authorization", "Bearer "+token.Reveal()) },
	})
	if err != nil {
		return nil, err
	}
	return &Client{base, c}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.Close() }

// Hosts returns the host whose repositories the API serves.
func (c *Client) Hosts() []string { return []string{c.base.Host} }

// tokenForm matches GitLab's tokens (docs.gitlab.com, "Token overview").
var tokenForm = regexp.MustCompile(`^gl[a-z]+-[\w.-]+$`)

// Pairing returns the forge as accounts are paired with it.
func (c *Client) Pairing() auth.Forge {
	return auth.Forge{
		Kind: kind, Host: c.base.Host, Name: "GitLab",
		Help:    "GitLab's API takes no passwords; make a personal access token with the scope api in its settings and send that after the colon",
		IsToken: tokenForm.MatchString, Failed: core.CodeForgePairingFailed, Login: c,
	}
}

// project returns a call about a project. rest is an escaped path. A project is named
// by its path of groups, with escaped slashes.
func (c *Client) project(doing string, r core.Repository, token core.Secret, rest ...string) (forgehttp.Call, error) {
	doing += " of " + r.Slug()
	if !core.ValidRepositoryOwner(r.Owner) || !core.ValidRepositoryPart(r.Name) {
		return forgehttp.Call{}, fmt.Errorf("gitlab: %s: %w", doing, core.ErrNotFound)
	}
	at := c.base.String() + "api/v4/projects/" + url.PathEscape(r.Slug())
	return forgehttp.Call{Doing: doing, URL: at + strings.Join(rest, ""), Token: token}, nil
}

// File returns a file at a commit, as [deploy.Forge] specifies.
func (c *Client) File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) ([]byte, error) {
	call, err := c.project(fmt.Sprintf("read %q", path), r, token, "/repository/files/", url.PathEscape(path), "/raw?ref="+url.QueryEscape(commit))
	if err == nil && (commit == "" || path == "") { // GitLab would use the default branch
		err = fmt.Errorf("gitlab: %s: %w", call.Doing, core.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return c.http.File(ctx, call)
}

// Archive opens the tree of a commit, as [deploy.Forge] specifies.
func (c *Client) Archive(ctx context.Context, r core.Repository, commit string, token core.Secret) (io.ReadCloser, error) {
	call, err := c.project("fetch the archive", r, token, "/repository/archive.tar.gz?sha="+url.QueryEscape(commit))
	if err == nil && commit == "" {
		err = fmt.Errorf("gitlab: %s: %w", call.Doing, core.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return c.http.Open(ctx, call)
}

// DefaultBranch returns the default branch, as [deploy.Forge] specifies.
func (c *Client) DefaultBranch(ctx context.Context, r core.Repository, token core.Secret) (string, error) {
	call, err := c.project("read the settings", r, token)
	if err != nil {
		return "", err
	}
	var project struct {
		DefaultBranch string `json:"default_branch"`
	}
	_, err = c.http.JSON(ctx, call, &project)
	return project.DefaultBranch, err
}

// CommitStatus sets the status of a commit, as [deploy.Forge] specifies. GitLab shows
// it as a job of a pipeline of its own.
func (c *Client) CommitStatus(ctx context.Context, r core.Repository, commit string, s deploy.CommitStatus, token core.Secret) error {
	call, err := c.project("set the status of a commit", r, token, "/statuses/"+url.PathEscape(commit))
	if err != nil {
		return err
	}
	state := map[string]string{"pending": "running", "success": "success", "inactive": "success"}[s.State]
	call.Method = http.MethodPost
	call.Body = map[string]string{
		"name": statusContext, "state": cmp.Or(state, "failed"), "target_url": s.TargetURL,
		"description": forgehttp.Cut(s.Description, maxDescription),
	}
	if _, err := c.http.JSON(ctx, call, nil); err != nil && !strings.Contains(err.Error(), "Cannot transition status") {
		return err // a status that is set already cannot be set again
	}
	return nil
}

// pipeline is the key of every pipeline.
const pipeline = "pipeline"

// SingleCheck implements [deploy.SingleCheck].
func (c *Client) SingleCheck() string { return pipeline }

// Checks returns the newest pipeline of each source and branch for a commit, and the
// newest status of each name, which jobs are, too, as [deploy.Forge] specifies.
func (c *Client) Checks(ctx context.Context, r core.Repository, commit string, token core.Secret) ([]deploy.Check, error) {
	call, err := c.project("list the pipelines", r, token, "/pipelines?sha="+url.QueryEscape(commit)+"&per_page="+strconv.Itoa(perPage))
	if err != nil {
		return nil, err
	}
	var pipelines []struct {
		ID      int64     `json:"id"`
		Status  string    `json:"status"`
		Source  string    `json:"source"`
		Ref     string    `json:"ref"`
		URL     string    `json:"web_url"`
		Created time.Time `json:"created_at"`
	}
	call.Polled = true
	if _, err := c.http.JSON(ctx, call, &pipelines); err != nil {
		return nil, err
	}
	var checks []deploy.Check
	known := map[[2]string]bool{}
	for _, p := range pipelines { // the newest first
		if known[[2]string{p.Source, p.Ref}] {
			continue
		}
		known[[2]string{p.Source, p.Ref}] = true
		checks = append(checks, deploy.Check{
			Key: pipeline, Name: "The pipeline", Run: strconv.FormatInt(p.ID, 10), Event: p.Source, Branch: p.Ref,
			State: state(p.Status), Detail: p.Status, Since: p.Created, URL: p.URL, Own: true,
		})
	}
	call, _ = c.project("list the commit statuses", r, token, "/repository/commits/"+url.PathEscape(commit)+"/statuses?per_page="+strconv.Itoa(perPage))
	var statuses []struct {
		Name    string    `json:"name"`
		Status  string    `json:"status"`
		URL     string    `json:"target_url"`
		Created time.Time `json:"created_at"`
	}
	call.Polled = true
	if _, err := c.http.JSON(ctx, call, &statuses); err != nil && !errors.Is(err, core.ErrForbidden) && !errors.Is(err, core.ErrNotFound) {
		return nil, err
	}
	for _, s := range statuses {
		if s.Name != statusContext {
			checks = append(checks, deploy.Check{
				Key: "status:" + s.Name, Name: s.Name, State: state(s.Status), Detail: s.Status, Since: s.Created, URL: s.URL,
			})
		}
	}
	return checks, nil
}

// state maps the status of a pipeline or a job. One that is not known yet does not end
// it.
func state(status string) deploy.CheckState {
	switch status {
	case "success":
		return deploy.CheckPassed
	case "skipped":
		return deploy.CheckNeutral
	case "failed":
		return deploy.CheckFailed
	case "canceled":
		return deploy.CheckCanceled
	case "manual":
		return deploy.CheckWaiting
	}
	return deploy.CheckRunning // "created", "pending", "running", "canceling" and so on
}

// Login returns the user of a token, as [auth.Login] specifies, and the scopes of a
// personal access token.
func (c *Client) Login(ctx context.Context, token core.Secret) (string, []string, error) {
	call := forgehttp.Call{Doing: "read the user of a token", URL: c.base.String() + "api/v4/user", Token: token}
	if token.IsZero() {
		return "", nil, fmt.Errorf("gitlab: %s: no token is given: %w", call.Doing, core.ErrUnauthorized)
	}
	var user struct {
		Username string `json:"username"`
	}
	if _, err := c.http.JSON(ctx, call, &user); err != nil {
		return "", nil, err
	}
	if user.Username == "" {
		return "", nil, core.Transient(fmt.Errorf("gitlab: %s: the answer has no username", call.Doing), 0)
	}
	var self struct {
		Scopes []string `json:"scopes"`
	}
	call.URL = c.base.String() + "api/v4/personal_access_tokens/self"
	if _, err := c.http.JSON(ctx, call, &self); err != nil {
		return user.Username, nil, nil //nolint:nilerr // of another kind of token they are not known
	}
	return user.Username, self.Scopes, nil
}
