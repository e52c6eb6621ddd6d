package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// DefaultBranch returns the default branch of a repository, as [deploy.Forge]
// specifies.
func (c *Client) DefaultBranch(ctx context.Context, r core.Repository, token core.Secret) (branch string, err error) {
	defer func() { err = redact.New(token).Error(err) }()
	doing := "read " + r.Slug()
	client, err := c.repositoryAPI(r, token)
	if err != nil {
		return "", err
	}
	bounded, cancel := withCallTimeout(ctx)
	defer cancel()
	req, err := client.NewRequest(http.MethodGet, "repos/"+r.Slug(), nil)
	if err != nil {
		return "", fmt.Errorf("github: %s: %w", doing, err)
	}
	// go-github v60 cannot decode custom properties of every type.
	var repository struct {
		DefaultBranch string `json:"default_branch"`
	}
	if resp, err := client.Do(bounded, req, &repository); err != nil {
		return "", c.failure(ctx, doing, resp, err)
	}
	return repository.DefaultBranch, nil
}

const (
	perPage         = 100     // GitHub's maximum
	maxPages        = 5       // of the runs, and of the statuses, of a commit
	maxChecksAnswer = 8 << 20 // bytes; a run takes some 20 KB
)

// Checks returns the newest run of each workflow of a commit, by its path, what
// started it and its branch, and the newest status of each context, as [deploy.Forge]
// specifies.
// Runs of another repository, such as those of a fork's pull request, do not count.
// A fine-grained token needs the permissions to read actions and commit statuses.
func (c *Client) Checks(ctx context.Context, r core.Repository, commit string, token core.Secret) (checks []deploy.Check, err error) {
	defer func() { err = redact.New(token).Error(err) }()
	client, err := c.repositoryAPI(r, token)
	if err != nil {
		return nil, err
	}
	if _, err := repoPath(r, "commits", commit); err != nil {
		return nil, err
	}
	bounded, cancel := withCallTimeout(ctx)
	defer cancel()
	runs, err := c.workflowRuns(ctx, bounded, client, r, commit)
	if err != nil {
		return nil, err
	}
	statuses, err := c.statuses(ctx, bounded, client, r, commit)
	if errors.Is(err, core.ErrForbidden) { // a fine-grained token may read the one and not the other
		return runs, nil
	}
	return append(runs, statuses...), err
}

// workflowRun is what counts of a workflow run. go-github v60 lacks its path.
type workflowRun struct {
	Name           string    `json:"name"`
	Path           string    `json:"path"` // ".github/workflows/ci.yml"
	Number         int64     `json:"run_number"`
	Event          string    `json:"event"`
	Branch         string    `json:"head_branch"`
	Started        time.Time `json:"run_started_at"`
	Status         string    `json:"status"`
	Conclusion     string    `json:"conclusion"`
	HTMLURL        string    `json:"html_url"`
	Repository     numbered  `json:"repository"`
	HeadRepository *numbered `json:"head_repository"` // null if it was deleted
}

type numbered struct {
	ID int64 `json:"id"`
}

// workflowRuns returns the newest run of each workflow. GitHub lists the newest
// first, each with its last attempt.
func (c *Client) workflowRuns(ctx, bounded context.Context, client *gh.Client, r core.Repository, commit string) ([]deploy.Check, error) {
	doing := "list the workflow runs of " + r.Slug()
	var checks []deploy.Check
	known := map[[3]string]bool{}
	for page := 1; page != 0 && page <= maxPages; {
		at := fmt.Sprintf("repos/%s/actions/runs?head_sha=%s&per_page=%d&page=%d", r.Slug(), url.QueryEscape(commit), perPage, page)
		req, err := client.NewRequest(http.MethodGet, at, nil)
		if err != nil {
			return nil, fmt.Errorf("github: %s: %w", doing, err)
		}
		var answer struct {
			Runs []workflowRun `json:"workflow_runs"`
		}
		resp, err := client.Do(bounded, req, &answer)
		if err != nil {
			return nil, c.failure(ctx, doing, resp, err)
		}
		for _, run := range answer.Runs {
			path, _, _ := strings.Cut(run.Path, "@") // a ref may follow
			workflow := [3]string{path, run.Event, run.Branch}
			if known[workflow] || run.HeadRepository == nil || *run.HeadRepository != run.Repository {
				continue
			}
			known[workflow] = true
			checks = append(checks, deploy.Check{
				Key: path, Name: run.Name, Run: strconv.FormatInt(run.Number, 10), Event: run.Event, Branch: run.Branch,
				State: runState(run.Status, run.Conclusion), Detail: cmp.Or(run.Conclusion, run.Status),
				Since: run.Started, URL: run.HTMLURL, Own: true,
			})
		}
		page = resp.NextPage
	}
	return checks, nil
}

// runState maps the status and the conclusion of a workflow run (docs.github.com,
// "REST API endpoints for workflow runs"). What is not known has not passed.
func runState(status, conclusion string) deploy.CheckState {
	if status != "completed" {
		return deploy.CheckRunning
	}
	switch conclusion {
	case "success":
		return deploy.CheckPassed
	case "neutral", "skipped":
		return deploy.CheckNeutral
	case "cancelled":
		return deploy.CheckCanceled
	}
	return deploy.CheckFailed
}

// statuses returns the newest status of each context.
func (c *Client) statuses(ctx, bounded context.Context, client *gh.Client, r core.Repository, commit string) ([]deploy.Check, error) {
	var checks []deploy.Check
	for page := 1; page != 0 && page <= maxPages; {
		answer, resp, err := client.Repositories.GetCombinedStatus(bounded, r.Owner, r.Name, commit, &gh.ListOptions{PerPage: perPage, Page: page})
		if err != nil {
			return nil, c.failure(ctx, "list the commit statuses of "+r.Slug(), resp, err)
		}
		for _, s := range answer.Statuses {
			if s.GetContext() == c.options.StatusContext {
				continue // it is ours
			}
			checks = append(checks, deploy.Check{
				Key: "status:" + s.GetContext(), Name: s.GetContext(), State: statusState(s.GetState()), Detail: s.GetState(),
				Since: s.GetCreatedAt().Time, URL: s.GetTargetURL(),
			})
		}
		page = resp.NextPage
	}
	return checks, nil
}

// statusState maps the state of a commit status.
func statusState(state string) deploy.CheckState {
	switch state {
	case "success":
		return deploy.CheckPassed
	case "pending":
		return deploy.CheckRunning
	}
	return deploy.CheckFailed
}

// repositoryAPI returns the client for one call about a repository that may be polled.
func (c *Client) repositoryAPI(r core.Repository, token core.Secret) (*gh.Client, error) {
	if !core.ValidRepositoryPart(r.Owner) || !core.ValidRepositoryPart(r.Name) {
		return nil, fmt.Errorf("github: repository %q: %w", r.Slug(), core.ErrNotFound)
	}
	return c.apiBy(c.polled, token, maxChecksAnswer)
}
