// Package bitbucket implements the port [deploy.Forge] for Bitbucket Cloud
// (developer.atlassian.com/cloud/bitbucket/rest) and for Bitbucket Data Center, whose
// APIs have nothing in common: files, archives, build statuses, webhooks and the user of
// a token.
//
// A token of Cloud is an API token of an Atlassian account as EMAIL:TOKEN, or the access token
// of a repository, a project or a workspace. App passwords do not exist any more.
package bitbucket

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// DefaultURL is Bitbucket Cloud.
const DefaultURL = "https://bitbucket.org"

// Options configure a [Client].
type Options struct {
	// URL is that of the web pages; default [DefaultURL], whose API is on
	// api.bitbucket.org. Another one is a stand-in, whose API is below /2.0/.
	URL          string
	PrivateHosts []string // host names that may have private addresses; literal ones may always
	Now          func() time.Time
	Logger       *slog.Logger // of outages
}

const (
	kind       = "bitbucket"
	cloud      = "bitbucket.org"
	publicAPI  = "https://api.bitbucket.org/2.0/"
	statusKey  = "webhooks/deploy"
	statusName = "webhooks"
	// maxDescription is the longest description of a status, in characters.
	maxDescription = 255
	maxPages       = 10
)

// Client calls the API of Bitbucket Cloud. It may be used concurrently.
type Client struct {
	base, api *url.URL
	http      *forgehttp.Client
}

var (
	_ deploy.Forge = (*Client)(nil)
	_ auth.Login   = (*Client)(nil)
)

// New returns a Client. It fails if the URL is invalid.
func New(o Options) (*Client, error) {
	o.URL = cmp.Or(o.URL, DefaultURL)
	base, err := forgehttp.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("bitbucket: %w", err)
	}
	api := base.JoinPath("2.0/")
	if base.Host == cloud {
		api, _ = url.Parse(publicAPI) // a constant
	}
	c, err := forgehttp.New(forgehttp.Options{
		Name: kind, URLs: []string{base.String(), api.String()}, PrivateHosts: o.PrivateHosts, Now: o.Now, Logger: o.Logger,
		Authorize: authorize,
	})
	if err != nil {
		return nil, err
	}
	return &Client{base, api, c}, nil
}

// authorize adds an access token, or an API token with its email address.
func authorize(h http.Header, token core.Secret) {
	text := token.Reveal()
	if strings.Contains(text, ":") {
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(text)))
		return
	}
	h.Set("Authorization", "Bearer "+text)
}

// Close closes idle connections.
func (c *Client) Close() { c.http.Close() }

// Hosts returns the hosts whose repositories the API serves. A stand-in on this machine
// serves those of bitbucket.org.
func (c *Client) Hosts() []string {
	if forgehttp.Loopback(c.base.Hostname()) {
		return []string{cloud, c.base.Host}
	}
	return []string{c.base.Host}
}

// Pairing returns the forge as accounts are paired with it.
func (c *Client) Pairing() auth.Forge {
	return auth.Forge{
		Kind: kind, Host: c.Hosts()[0], Name: "Bitbucket",
		Help:   "Bitbucket takes no passwords; make an API token in the settings of your Atlassian account and send EMAIL:TOKEN after the colon",
		Failed: core.CodeForgePairingFailed, Login: c,
	}
}

// repository returns a call about a repository; parts are those of the path.
func (c *Client) repository(doing string, r core.Repository, token core.Secret, parts ...string) (forgehttp.Call, error) {
	doing += " of " + r.Slug()
	path, ok := forgehttp.Path(append([]string{r.Owner, r.Name}, parts...)...)
	if !ok || !core.ValidRepositoryPart(r.Owner) || !core.ValidRepositoryPart(r.Name) {
		return forgehttp.Call{}, fmt.Errorf("bitbucket: %s: %w", doing, core.ErrNotFound)
	}
	return forgehttp.Call{Doing: doing, URL: c.api.String() + "repositories/" + path, Token: token}, nil
}

// File returns a file at a commit, as [deploy.Forge] specifies.
func (c *Client) File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) ([]byte, error) {
	call, err := c.repository(fmt.Sprintf("read %q", path), r, token, append([]string{"src", commit}, strings.Split(path, "/")...)...)
	if err != nil {
		return nil, err
	}
	return c.http.File(ctx, call)
}

// Archive opens the tree of a commit, as [deploy.Forge] specifies. It is not part of
// the API: the web pages serve it.
func (c *Client) Archive(ctx context.Context, r core.Repository, commit string, token core.Secret) (io.ReadCloser, error) {
	call, err := c.repository("fetch the archive", r, token)
	path, ok := forgehttp.Path(r.Owner, r.Name, "get", commit+".tar.gz")
	if err == nil && (!ok || commit == "") {
		err = fmt.Errorf("bitbucket: %s: %w", call.Doing, core.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	call.URL = c.base.String() + path
	return c.http.Open(ctx, call)
}

// DefaultBranch returns the main branch, as [deploy.Forge] specifies.
func (c *Client) DefaultBranch(ctx context.Context, r core.Repository, token core.Secret) (string, error) {
	call, err := c.repository("read the settings", r, token)
	if err != nil {
		return "", err
	}
	var repository struct {
		MainBranch struct {
			Name string `json:"name"`
		} `json:"mainbranch"`
	}
	_, err = c.http.JSON(ctx, call, &repository)
	return repository.MainBranch.Name, err
}

// CommitStatus sets the build status of a commit, as [deploy.Forge] specifies.
func (c *Client) CommitStatus(ctx context.Context, r core.Repository, commit string, s deploy.CommitStatus, token core.Secret) error {
	call, err := c.repository("set the status of a commit", r, token, "commit", commit, "statuses", "build")
	if err != nil {
		return err
	}
	call.Method, call.Body = http.MethodPost, buildStatus(s, "STOPPED", "https://"+cloud+"/"+r.Slug())
	_, err = c.http.JSON(ctx, call, nil)
	return err
}

// buildStatus returns s as Cloud and Data Center take it. canceled is the forge's word for
// the state of a build that was; page is the URL of a status without one, as a URL is
// required.
func buildStatus(s deploy.CommitStatus, canceled, page string) map[string]string {
	state := map[string]string{"pending": "INPROGRESS", "success": "SUCCESSFUL", "inactive": "SUCCESSFUL", "failure": "FAILED"}[s.State]
	return map[string]string{
		"key": statusKey, "name": statusName, "state": cmp.Or(state, canceled),
		"description": forgehttp.Cut(s.Description, maxDescription), "url": cmp.Or(s.TargetURL, s.URL, page),
	}
}

// Checks returns the newest build status of each key of a commit, as [deploy.Forge]
// specifies. Pipelines sets one for each pipeline, and so does another CI.
func (c *Client) Checks(ctx context.Context, r core.Repository, commit string, token core.Secret) ([]deploy.Check, error) {
	call, err := c.repository("list the build statuses", r, token, "commit", commit, "statuses")
	if err != nil {
		return nil, err
	}
	at := call.URL
	call.URL += "?pagelen=100&sort=-created_on"
	var checks []deploy.Check
	for range maxPages {
		var page struct {
			Values []struct {
				Key     string    `json:"key"`
				Name    string    `json:"name"`
				State   string    `json:"state"`
				URL     string    `json:"url"`
				Ref     string    `json:"refname"`
				Created time.Time `json:"created_on"`
			} `json:"values"`
			Next string `json:"next"`
		}
		call.Polled = true
		if _, err := c.http.JSON(ctx, call, &page); err != nil {
			return nil, err
		}
		for _, s := range page.Values {
			if s.Key != statusKey {
				checks = append(checks, deploy.Check{
					Key: "status:" + s.Key, Name: cmp.Or(s.Name, s.Key), Branch: s.Ref, State: state(s.State), Detail: strings.ToLower(s.State),
					Since: s.Created, URL: s.URL, Own: true,
				})
			}
		}
		if !strings.HasPrefix(page.Next, at+"?") { // none, or an address that is not ours to follow
			break
		}
		call.URL = page.Next
	}
	return checks, nil
}

// state maps the state of a build status. One that is not known yet does not end the
// build.
func state(text string) deploy.CheckState {
	switch text {
	case "SUCCESSFUL":
		return deploy.CheckPassed
	case "FAILED":
		return deploy.CheckFailed
	case "STOPPED", "CANCELLED": // on Cloud, on Data Center
		return deploy.CheckCanceled
	}
	return deploy.CheckRunning // "INPROGRESS", and "UNKNOWN" of Data Center
}

// Login returns the user of a token, as [auth.Login] specifies. The scopes are those of
// the header X-OAuth-Scopes.
func (c *Client) Login(ctx context.Context, token core.Secret) (string, []string, error) {
	call := forgehttp.Call{Doing: "read the user of a token", URL: c.api.String() + "user", Token: token}
	if token.IsZero() {
		return "", nil, fmt.Errorf("bitbucket: %s: no token is given: %w", call.Doing, core.ErrUnauthorized)
	}
	var user struct {
		Username string `json:"username"`
		Nickname string `json:"nickname"`
	}
	h, err := c.http.JSON(ctx, call, &user)
	if err != nil {
		return "", nil, err
	}
	login := cmp.Or(user.Username, user.Nickname)
	if login == "" {
		return "", nil, core.Transient(fmt.Errorf("bitbucket: %s: the answer has no user name", call.Doing), 0)
	}
	var scopes []string
	for scope := range strings.SplitSeq(h.Get("X-Oauth-Scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			scopes = append(scopes, scope)
		}
	}
	return login, scopes, nil
}
