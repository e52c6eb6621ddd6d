package bitbucket

import (
	"cmp"
	"context"
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
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// DataCenterOptions configure a [DataCenter]. URL is required.
type DataCenterOptions struct {
	URL          string   // of the web pages, such as https://git.example.com/bitbucket
	PrivateHosts []string // host names that may have private addresses; literal ones may always
	Now          func() time.Time
	Logger       *slog.Logger // of outages
}

// DataCenter calls the REST API of a Bitbucket Data Center, version 7.6 or later
// (developer.atlassian.com/server/bitbucket/rest). A token is an HTTP access token. It
// may be used concurrently.
type DataCenter struct {
	base *url.URL
	http *forgehttp.Client
}

var (
	_ deploy.Forge    = (*DataCenter)(nil)
	_ auth.Login      = (*DataCenter)(nil)
	_ connect.Forge   = (*DataCenter)(nil)
	_ connect.Tester  = (*DataCenter)(nil)
	_ connect.Sampler = (*DataCenter)(nil)
)

// NewDataCenter returns a DataCenter. It fails if the URL is invalid.
func NewDataCenter(o DataCenterOptions) (*DataCenter, error) {
	base, err := forgehttp.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("bitbucket: %w", err)
	}
	c, err := forgehttp.New(forgehttp.Options{
		Name: kind, URLs: []string{base.String()}, PrivateHosts: o.PrivateHosts, Now: o.Now, Logger: o.Logger,
		Authorize: func(h http.Header, token core.Secret) { h.Set("Authorization", "Bearer "+token.Reveal()) },
	})
	if err != nil {
		return nil, err
	}
	return &DataCenter{base, c}, nil
}

// Close closes idle connections.
func (c *DataCenter) Close() { c.http.Close() }

// Hosts returns the host.
func (c *DataCenter) Hosts() []string { return []string{c.base.Host} }

// Pairing returns the forge as accounts are paired with it.
func (c *DataCenter) Pairing() auth.Forge {
	return auth.Forge{
		Kind: kind, Host: c.base.Host, Name: "Bitbucket Data Center",
		Help:   "Bitbucket takes no passwords; make an HTTP access token in the settings of your account and send it after the colon",
		Failed: core.CodeForgePairingFailed, Login: c,
	}
}

// repository returns a call about a repository; parts are those of the path.
func (c *DataCenter) repository(doing string, r core.Repository, token core.Secret, parts ...string) (forgehttp.Call, error) {
	doing += " of " + r.Slug()
	path, ok := forgehttp.Path(append([]string{"projects", r.Owner, "repos", r.Name}, parts...)...)
	if !ok || !core.ValidRepositoryOwner(r.Owner) || !core.ValidRepositoryPart(r.Name) {
		return forgehttp.Call{}, fmt.Errorf("bitbucket: %s: %w", doing, core.ErrNotFound)
	}
	return forgehttp.Call{Doing: doing, URL: c.base.String() + "rest/api/latest/" + path, Token: token}, nil
}

// File returns a file at a commit, as [deploy.Forge] specifies.
func (c *DataCenter) File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) ([]byte, error) {
	call, err := c.repository(fmt.Sprintf("read %q", path), r, token, append([]string{"raw"}, strings.Split(path, "/")...)...)
	if err != nil {
		return nil, err
	}
	call.URL += "?at=" + url.QueryEscape(commit)
	return c.http.File(ctx, call)
}

// Archive opens the tree of a commit, as [deploy.Forge] specifies.
func (c *DataCenter) Archive(ctx context.Context, r core.Repository, commit string, token core.Secret) (io.ReadCloser, error) {
	call, err := c.repository("fetch the archive", r, token, "archive")
	if err == nil && commit == "" {
		err = fmt.Errorf("bitbucket: %s: %w", call.Doing, core.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	// Without a prefix the files have no common folder, as they have on other forges.
	call.URL += "?" + url.Values{"at": {commit}, "format": {"tar.gz"}, "prefix": {r.Name + "/"}}.Encode()
	return c.http.Open(ctx, call)
}

// DefaultBranch returns the default branch, as [deploy.Forge] specifies.
func (c *DataCenter) DefaultBranch(ctx context.Context, r core.Repository, token core.Secret) (string, error) {
	call, err := c.repository("read the default branch", r, token, "default-branch")
	if err != nil {
		return "", err
	}
	var branch struct {
		Name string `json:"displayId"`
	}
	_, err = c.http.JSON(ctx, call, &branch)
	return branch.Name, err
}

// CommitStatus sets the build status of a commit, as [deploy.Forge] specifies.
func (c *DataCenter) CommitStatus(ctx context.Context, r core.Repository, commit string, s deploy.CommitStatus, token core.Secret) error {
	call, err := c.repository("set the status of a commit", r, token, "commits", commit, "builds")
	if err != nil {
		return err
	}
	call.Method, call.Body = http.MethodPost, buildStatus(s, "CANCELLED", c.base.String())
	_, err = c.http.JSON(ctx, call, nil)
	return err
}

// Checks returns the build statuses of a commit, of which there is one for each key, as
// [deploy.Forge] specifies.
func (c *DataCenter) Checks(ctx context.Context, r core.Repository, commit string, token core.Secret) ([]deploy.Check, error) {
	call, err := c.repository("list the build statuses", r, token, "commits", commit)
	if err != nil {
		return nil, err
	}
	// The statuses are those of a commit in any repository, so it must be in this one.
	call.Polled = true
	if _, err := c.http.JSON(ctx, call, nil); err != nil {
		return nil, err
	}
	at := c.base.String() + "rest/build-status/latest/commits/" + url.PathEscape(commit) + "?limit=100&start="
	var checks []deploy.Check
	start := 0
	for range maxPages {
		var page struct {
			Values []struct {
				Key   string `json:"key"`
				Name  string `json:"name"`
				State string `json:"state"`
				URL   string `json:"url"`
				Added int64  `json:"dateAdded"` // in ms
			} `json:"values"`
			Last bool `json:"isLastPage"`
			Next int  `json:"nextPageStart"`
		}
		call.URL = at + strconv.Itoa(start)
		if _, err := c.http.JSON(ctx, call, &page); err != nil {
			return nil, err
		}
		for _, s := range page.Values {
			if s.Key == statusKey {
				continue
			}
			checks = append(checks, deploy.Check{
				Key: "status:" + s.Key, Name: cmp.Or(s.Name, s.Key), State: state(s.State), Detail: strings.ToLower(s.State),
				Since: time.UnixMilli(s.Added).UTC(), URL: s.URL, Own: true,
			})
		}
		if page.Last || page.Next <= start {
			break
		}
		start = page.Next
	}
	return checks, nil
}

// Login returns the user of a token, as [auth.Login] specifies. An HTTP access token
// does not say its scopes.
func (c *DataCenter) Login(ctx context.Context, token core.Secret) (string, []string, error) {
	call := forgehttp.Call{Doing: "read the user of a token", URL: c.base.String() + "plugins/servlet/applinks/whoami", Token: token}
	if token.IsZero() {
		return "", nil, fmt.Errorf("bitbucket: %s: no token is given: %w", call.Doing, core.ErrUnauthorized)
	}
	text, err := c.http.File(ctx, call)
	if err != nil {
		return "", nil, err
	}
	login := strings.TrimSpace(string(text))
	switch {
	case login == "": // an anonymous request
		return "", nil, fmt.Errorf("bitbucket: %s: %w", call.Doing, core.ErrUnauthorized)
	case len(login) > 255 || strings.ContainsAny(login, "<>\r\n"): // a page of something else
		return "", nil, core.Transient(fmt.Errorf("bitbucket: %s: the answer is not what the forge sends", call.Doing), 0)
	}
	return login, nil, nil
}

// Hooks returns the webhooks of a repository, as [connect.Forge] specifies.
func (c *DataCenter) Hooks(ctx context.Context, r core.Repository, token core.Secret) ([]connect.ListedHook, error) {
	call, err := c.repository("list the webhooks", r, token, "webhooks")
	if err != nil {
		return nil, err
	}
	call.URL += "?limit=1000"
	return listHooks(ctx, c.http, call)
}

// SetHook makes or changes a webhook, as [connect.Forge] specifies. Data Center has no
// event for build statuses: a push that waits for them is looked at from time to time.
func (c *DataCenter) SetHook(ctx context.Context, r core.Repository, id string, h connect.Hook, token core.Secret) (string, []string, error) {
	parts, method := []string{"webhooks"}, http.MethodPost
	if id != "" {
		parts, method = append(parts, id), http.MethodPut
	}
	call, err := c.repository("set a webhook", r, token, parts...)
	if err != nil {
		return "", nil, err
	}
	events := []string{"repo:refs_changed"}
	call.Method = method
	call.Body = map[string]any{
		"name": statusName, "url": h.URL, "active": true, "events": events, "configuration": map[string]string{"secret": h.Secret.Reveal()},
	}
	var made hook
	if _, err := c.http.JSON(ctx, call, &made); err != nil {
		return "", nil, redact.New(h.Secret).Error(err)
	}
	return made.id(), events, nil
}

// TestHook has Data Center's test sent, as [connect.Tester] specifies: the event
// diagnostics:ping, which older versions do not sign. Atlassian documents no form of the
// answer, so one without a status code does not say how the test was answered.
func (c *DataCenter) TestHook(ctx context.Context, r core.Repository, h connect.ListedHook, token core.Secret) (sent bool, status int, err error) {
	call, err := c.repository("test a webhook", r, token, "webhooks", "test")
	if err != nil {
		return false, 0, err
	}
	call.URL += "?" + url.Values{"url": {h.URL}, "webhookId": {h.ID}, "sslVerificationRequired": {"true"}}.Encode()
	call.Method, call.Body = http.MethodPost, map[string]any{}
	var test struct {
		Response struct {
			Status int `json:"statusCode"`
		} `json:"response"`
	}
	_, err = c.http.JSON(ctx, call, &test)
	return err == nil && test.Response.Status != 0, test.Response.Status, err
}

// Sample returns Data Center's test, signed, as [connect.Sampler] specifies.
func (c *DataCenter) Sample(_ core.Repository, secret core.Secret) (http.Header, []byte) {
	return sample(secret)
}
