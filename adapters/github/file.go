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

// File returns a file at a commit, as [deploy.Forge] specifies. It fails for a
// file of more than 1 MiB, and with core.ErrNotFound for a folder.
//
// It does not use go-github's GetContents, which requests the file as JSON:
// GitHub has that up to 1 MB only. DownloadContents lists the folder first and
// fetches from another host, without the context.
func (c *Client) File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) (text []byte, err error) {
	defer func() { err = redact.New(token).Error(err) }()
	doing := fmt.Sprintf("read %q of %s", path, r.Slug())
	at, err := repoPath(r, "contents", path)
	if err != nil {
		return nil, err
	}
	if commit == "" { // GitHub would use the default branch
		return nil, fmt.Errorf("github: %s: no commit is given: %w", doing, core.ErrNotFound)
	}
	client, err := c.api(token, maxFile+1)
	if err != nil {
		return nil, err
	}
	req, err := client.NewRequest(http.MethodGet, at+"?ref="+url.QueryEscape(commit), nil, accept("application/vnd.github.raw+json"))
	if err != nil {
		return nil, fmt.Errorf("github: %s: %w", doing, err)
	}
	bounded, cancel := withCallTimeout(ctx)
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
		return nil, fmt.Errorf("github: %s: the file is larger than 1 MiB", doing)
	case notFile(resp.Header, text):
		return nil, fmt.Errorf("github: %s: not a file: %w", doing, core.ErrNotFound)
	}
	return text, nil
}

func accept(mediaType string) gh.RequestOption {
	return func(req *http.Request) { req.Header.Set("Accept", mediaType) }
}

// notFile reports whether an answer lists a folder, or describes a submodule or a
// broken link: GitHub has no raw form of them and sends JSON. The media type is
// not enough, because a proxy may set it for any JSON file.
func notFile(h http.Header, text []byte) bool {
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return false
	}
	type content struct {
		Type   string  `json:"type"`
		Path   string  `json:"path"`
		SHA    string  `json:"sha"`
		GitURL *string `json:"git_url"` // null for a submodule on another host
	}
	var listing []content
	if json.Unmarshal(text, &listing) == nil {
		return len(listing) > 0 && listing[0].Type != "" && listing[0].Path != "" && listing[0].SHA != ""
	}
	var one content
	return json.Unmarshal(text, &one) == nil && (one.Type == "submodule" || one.Type == "symlink") && one.SHA != "" && one.Path != ""
}
