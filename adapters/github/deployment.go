package github

import (
	"context"
	"errors"
	"fmt"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// deploymentStates maps the states of a commit status to those of a deployment
// (docs.github.com, "REST API endpoints for deployment statuses").
var deploymentStates = map[string]string{ //nolint:gochecknoglobals // it never changes
	"pending": "in_progress", "success": "success", "failure": "failure", "error": "error", "inactive": "inactive",
}

// setDeployment sets the status of the deployment of the commit to the app, which
// is the environment. It creates the deployment if there is none. It is not an
// error if the token may not do that, which takes the scope repo_deployment or
// repo.
func (c *Client) setDeployment(ctx context.Context, client *gh.Client, r core.Repository, commit string, s deploy.CommitStatus) error {
	id, err := c.deployment(ctx, client, r, commit, s.App)
	if err == nil {
		status := &gh.DeploymentStatusRequest{State: new(deploymentStates[s.State]), AutoInactive: new(true)}
		for _, field := range []struct {
			into **string
			text string
		}{
			{&status.LogURL, s.TargetURL}, {&status.EnvironmentURL, s.URL}, {&status.Description, forgehttp.Cut(s.Description, maxDescription)},
		} {
			if field.text != "" {
				*field.into = &field.text
			}
		}
		bounded, cancel := withCallTimeout(ctx)
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

// deployment returns the newest deployment of the commit to the app, or creates
// one.
func (c *Client) deployment(ctx context.Context, client *gh.Client, r core.Repository, commit, app string) (int64, error) {
	doing := "create a deployment of " + r.Slug()
	bounded, cancel := withCallTimeout(ctx)
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
		Ref: &commit, Environment: &app, Description: new("Deploying " + forgehttp.Cut(app, 100)),
		AutoMerge: new(false), RequiredContexts: &[]string{}, // the decision to deploy was made before
	})
	if err != nil {
		return 0, c.failure(ctx, doing, resp, err)
	}
	if resp.StatusCode != 201 {
		return 0, fmt.Errorf("github: %s: answered %d instead of 201", doing, resp.StatusCode)
	}
	return made.GetID(), nil
}
