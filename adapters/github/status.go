package github

import (
	"context"
	"fmt"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// maxDescription is the longest description that GitHub accepts, in characters. It
// answers 422 to a longer one (zalando/zappr#378).
const maxDescription = 140

// CommitStatus sets the status of a commit with [Options.StatusContext], as
// [deploy.Forge] specifies. If the status names an app it also sets the status of
// a deployment, if the token may. A commit that was deployed and runs no more stays a
// success, as only a deployment can be inactive. The token needs the scope repo:status,
// public_repo or repo.
func (c *Client) CommitStatus(ctx context.Context, r core.Repository, commit string, s deploy.CommitStatus, token core.Secret) (err error) {
	defer func() { err = redact.New(token).Error(err) }()
	doing := "set the status of a commit of " + r.Slug()
	if _, err := repoPath(r, "statuses", commit); err != nil {
		return err
	}
	client, err := c.api(token, maxFile)
	if err != nil {
		return err
	}
	state := s.State
	if state == "inactive" {
		state = "success"
	}
	status := &gh.RepoStatus{
		State:   &state,
		Context: &c.options.StatusContext,
	}
	if text := forgehttp.Cut(s.Description, maxDescription); text != "" {
		status.Description = &text
	}
	if s.TargetURL != "" {
		status.TargetURL = &s.TargetURL
	}
	bounded, cancel := withCallTimeout(ctx)
	defer cancel()
	_, resp, err := client.Repositories.CreateStatus(bounded, r.Owner, r.Name, commit, status)
	if err != nil {
		return c.failure(ctx, doing, resp, err)
	}
	if resp.StatusCode != 201 {
		return fmt.Errorf("github: %s: answered %d instead of 201", doing, resp.StatusCode)
	}
	if s.App == "" {
		return nil
	}
	return c.setDeployment(ctx, client, r, commit, s)
}
