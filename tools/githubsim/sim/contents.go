package sim

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxInline = 1 << 20   // of a file in the JSON form
	maxBlob   = 100 << 20 // of a file at all
)

// contentJSON is an entry of a tree in an answer of the API.
type contentJSON struct {
	Type        string            `json:"type"`
	Encoding    string            `json:"encoding,omitempty"`
	Size        int64             `json:"size"`
	Name        string            `json:"name"`
	Path        string            `json:"path"`
	Content     *string           `json:"content,omitempty"`
	Target      string            `json:"target,omitempty"` // of a symbolic link
	SHA         string            `json:"sha"`
	URL         string            `json:"url"`
	GitURL      *string           `json:"git_url"`
	HTMLURL     *string           `json:"html_url"`
	DownloadURL *string           `json:"download_url"`
	Links       map[string]string `json:"_links"`
}

// getContents answers "Get repository content": a folder as a list, a file as
// JSON or, if requested, raw.
func (s *Server) getContents(w http.ResponseWriter, r *http.Request, repo *repository) {
	ctx := r.Context()
	ref := r.URL.Query().Get("ref")
	commit, err := repo.commitOrDefault(ctx, ref)
	if errors.Is(err, errNoObject) {
		if ref == "" {
			refuse(w, http.StatusNotFound, "This repository is empty.")
		} else {
			refuse(w, http.StatusNotFound, "No commit found for the ref "+ref)
		}
		return
	}
	at := strings.Trim(r.PathValue("path"), "/")
	var found entry
	switch {
	case err != nil:
	case at == "":
		found = entry{kind: "tree"}
	case !plainPath(at):
		err = errNoObject
	default:
		found, err = repo.find(ctx, commit, at)
	}
	switch {
	case errors.Is(err, errNoObject):
		notFound(w)
	case err != nil:
		s.broken(w, err)
	case found.kind == "tree":
		s.writeFolder(w, r, repo, commit, found.path)
	case found.size > maxBlob:
		writeJSON(w, http.StatusForbidden, map[string]any{
			"message": "This API returns blobs up to 100 MB in size. The requested blob is too large to fetch via the API.",
			"errors":  []map[string]string{{"resource": "Blob", "field": "data", "code": "too_large"}},
			"status":  "403",
		})
	default:
		s.writeFile(w, r, repo, commit, found)
	}
}

func (s *Server) writeFolder(w http.ResponseWriter, r *http.Request, repo *repository, commit, folder string) {
	entries, err := repo.tree(r.Context(), commit, folder)
	if err != nil {
		s.broken(w, err)
		return
	}
	list := []contentJSON{}
	for _, e := range entries {
		list = append(list, s.contentJSON(repo, commit, e))
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Server) writeFile(w http.ResponseWriter, r *http.Request, repo *repository, commit string, e entry) {
	answer := s.contentJSON(repo, commit, e)
	if e.kind == "commit" { // a submodule
		writeJSON(w, http.StatusOK, answer)
		return
	}
	text, err := repo.git(r.Context(), "cat-file", "blob", e.object)
	if err != nil {
		s.broken(w, err)
		return
	}
	switch {
	case e.mode == modeLink:
		answer.Target = string(text)
	case wantsRaw(r):
		w.Header().Set("Content-Type", "application/vnd.github.raw+json; charset=utf-8")
		w.Header().Set("X-GitHub-Media-Type", "github.v3; param=raw; format=json")
		_, _ = w.Write(text)
		return
	case e.size > maxInline:
		none := ""
		answer.Encoding, answer.Content = "none", &none
	default:
		encoded := wrap(base64.StdEncoding.EncodeToString(text))
		answer.Encoding, answer.Content = "base64", &encoded
	}
	writeJSON(w, http.StatusOK, answer)
}

// wantsRaw reports whether the raw file is requested, by any name that the media
// type has had.
func wantsRaw(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/vnd.github.raw") || strings.Contains(accept, "application/vnd.github.v3.raw")
}

// wrap breaks base64 into lines of 60, as GitHub sends it.
func wrap(text string) string {
	var b strings.Builder
	for len(text) > 60 {
		b.WriteString(text[:60] + "\n")
		text = text[60:]
	}
	b.WriteString(text + "\n")
	return b.String()
}

func (s *Server) contentJSON(repo *repository, commit string, e entry) contentJSON {
	escaped := (&url.URL{Path: e.path}).EscapedPath()
	api := s.URL() + "repos/" + repo.slug() + "/contents/" + escaped + "?ref=" + commit
	kind := map[string]string{"blob": "file", "tree": "dir", "commit": "submodule"}[e.kind]
	if e.mode == modeLink {
		kind = "symlink"
	}
	c := contentJSON{
		Type: kind, Size: e.size, Name: e.name, Path: e.path, SHA: e.object, URL: api,
		Links: map[string]string{"self": api},
	}
	if kind == "submodule" {
		return c
	}
	git := s.URL() + "repos/" + repo.slug() + "/git/" + e.kind + "s/" + e.object
	html := s.options.WebURL + "/" + repo.slug() + "/" + e.kind + "/" + commit + "/" + escaped
	c.GitURL, c.HTMLURL = &git, &html
	if kind == "file" {
		c.DownloadURL = &html
	}
	return c
}

// commitOrDefault resolves a ref; "" is the head of the default branch.
func (r *repository) commitOrDefault(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return r.resolve(ctx, "HEAD^{commit}")
	}
	return r.commit(ctx, ref)
}
