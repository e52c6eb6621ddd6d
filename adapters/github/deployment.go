package github

import (
	"context"
	"errors"
	"fmt"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// deploymentStates are GitHub's words for those of a commit's status
// (docs.github.com, "REST API endpoints for deployment statuses").
var deploymentStates = map[string]string{ //nolint:gochecknoglobals // a table that nothing changes
	"pending": "in_progress", "success": "success", "failure": "failure", "error": "error",
}

// setDeployment sets the status of the commit's deployment to the app, which is
// the environment; it makes the deployment where there is none. A token that may
// not do that is no failure: it needs the scope repo_deployment, or repo.
func (c *Client) setDeployment(ctx context.Context, client *gh.Client, r core.Repository, commit string, s deploy.CommitStatus) error {
	id, err := c.deployment(ctx, client, r, commit, s.App)
	if err == nil {
		status := &gh.DeploymentStatusRequest{State: new(deploymentStates[s.State]), AutoInactive: new(true)}
		for _, field := range []struct {
			into **string
			text string
		}{
			{&status.LogURL, s.TargetURL}, {&status.EnvironmentURL, s.URL}, {&status.Description, cut(s.Description, maxDescription)},
		} {
			if field.text != "" {
				*field.into = &field.text
			}
		}
		bounded, cancel := short(ctx)
		defer cancel()
		var resp *gh.Response
		if _, resp, err = client.Repositories.CreateDeploymentStatus(bounded, r.Owner, r.Name, id, status); err != nil {
			err = c.failure(ctx, "set the status of a deployment of "+r.Slug(), resp, err)
		}
	}
	if errors.Is(err, core.ErrForbidden) || errors.Is(err, core.ErrNotFound) {
		c.options.Logger.DebugContext(ctx, "deployment not set", "repository", r.Slug(), "error", err)
		return nil
	}
	return err
}

// deployment returns the newest deployment of the commit to the app, a new one
// where there is none.
func (c *Client) deployment(ctx context.Context, client *gh.Client, r core.Repository, commit, app string) (int64, error) {
	doing := "make a deployment of " + r.Slug()
	bounded, cancel := short(ctx)
	defer cancel()
	known, resp, err := client.Repositories.ListDeployments(bounded, r.Owner, r.Name, &gh.DeploymentsListOptions{
		SHA: commit, Environment: app, ListOptions: gh.ListOptions{PerPage: 1},
	})
	if err != nil {
		return 0, c.failure(ctx, doing, resp, err)
	}
	if len(known) > 0 {
		return known[0].GetID(), nil
	}
	made, resp, err := client.Repositories.CreateDeployment(bounded, r.Owner, r.Name, &gh.DeploymentRequest{
		Ref: &commit, Environment: &app, Description: new("Deploying " + cut(app, 100)),
		AutoMerge: new(false), RequiredContexts: &[]string{}, // whether to deploy was decided already
	})
	if err != nil {
		return 0, c.failure(ctx, doing, resp, err)
	}
	if resp.StatusCode != 201 {
		return 0, fmt.Errorf("github: %s: answered %d instead of 201", doing, resp.StatusCode)
	}
	return made.GetID(), nil
}
