package github

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// File returns a file at a commit, as [deploy.Source] says. A file of more
// than 1 MiB is an error; a folder is as good as nothing there.
//
// The request is made here, because go-github's GetContents takes the file as
// JSON, which GitHub has up to 1 MB only, and its DownloadContents lists the
// folder first and fetches from elsewhere, without the context.
func (c *Client) File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) (text []byte, err error) {
	defer func() { err = redact.New(token).Error(err) }()
	doing := fmt.Sprintf("read %q of %s", path, r.Slug())
	at, err := repoPath(r, "contents", path)
	if err != nil {
		return nil, err
	}
	if commit == "" { // GitHub would take the default branch
		return nil, fmt.Errorf("github: %s at no commit: %w", doing, core.ErrNotFound)
	}
	client, err := c.api(token, maxFile+1)
	if err != nil {
		return nil, err
	}
	req, err := client.NewRequest(http.MethodGet, at+"?ref="+url.QueryEscape(commit), nil, accept("application/vnd.github.raw+json"))
	if err != nil {
		return nil, fmt.Errorf("github: %s: %w", doing, err)
	}
	bounded, cancel := short(ctx)
	defer cancel()
	resp, err := client.BareDo(bounded, req)
	if err != nil {
		return nil, c.failure(ctx, doing, resp, err)
	}
	text, err = io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return nil, broken(ctx, doing, err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("github: %s: it is larger than 1 MiB", doing)
	case notFile(resp.Header, text):
		return nil, fmt.Errorf("github: %s: it is not a file: %w", doing, core.ErrNotFound)
	}
	return text, nil
}

func accept(mediaType string) gh.RequestOption {
	return func(req *http.Request) { req.Header.Set("Accept", mediaType) }
}

// notFile tells whether an answer lists a folder, or describes a submodule or
// a link that leads nowhere: GitHub has no raw form of them and sends JSON.
// Its media type alone does not say so, as a proxy may give it to any JSON
// file.
func notFile(h http.Header, text []byte) bool {
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return false
	}
	type content struct {
		Type   string  `json:"type"`
		Path   string  `json:"path"`
		SHA    string  `json:"sha"`
		GitURL *string `json:"git_url"` // null of a submodule elsewhere
	}
	var listing []content
	if json.Unmarshal(text, &listing) == nil {
		return len(listing) > 0 && listing[0].Type != "" && listing[0].Path != "" && listing[0].SHA != ""
	}
	var one content
	return json.Unmarshal(text, &one) == nil && (one.Type == "submodule" || one.Type == "symlink") && one.SHA != "" && one.Path != ""
}
