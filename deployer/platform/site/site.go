// Package site serves a static site: the files of a folder, as people expect it of a
// web server.
package site

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Site is an http.Handler that serves the files of a folder, which must not change.
//
// It serves /a as the file a or a.html and /a/ as a/index.html, and redirects /a to
// /a/ if that is a folder. If a client accepts it, a file a.br or a.gz is sent in
// place of a. Other paths get the fallback, if there is one and they look like a
// page, or 404.html. Files whose names begin with a dot and node_modules are not
// served, except .well-known, nor is anything outside of the folder.
type Site struct {
	root     *os.Root
	owner    uint32
	fallback string
	tags     sync.Map // file name to ETag
}

// New returns the site of a folder. fallback is a file in it, or "".
func New(dir, fallback string) (*Site, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("site: %w", err)
	}
	info, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("site: %w", err), root.Close())
	}
	s := &Site{root: root, fallback: path.Clean("/" + fallback)[1:]}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.owner = stat.Uid
	}
	return s, nil
}

// Close closes the folder. Requests must have ended.
func (s *Site) Close() error { return s.root.Close() }

// ServeHTTP serves one request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := r.URL.Path
	if !strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\x00\\") {
		http.Error(w, "Bad request", http.StatusBadRequest)
		return
	}
	slash := strings.HasSuffix(name, "/")
	name = path.Clean(name)[1:]
	if !isHidden(name) {
		if slash || name == "" {
			if s.serve(w, r, path.Join(name, "index.html"), http.StatusOK) {
				return
			}
		} else if s.serve(w, r, name, http.StatusOK) || s.serve(w, r, name+".html", http.StatusOK) {
			return
		} else if s.isFile(path.Join(name, "index.html")) {
			to := url.URL{Path: "/" + name + "/", RawQuery: r.URL.RawQuery}
			w.Header().Set("Location", to.String())
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		if s.fallback != "" && path.Ext(name) == "" && s.serve(w, r, s.fallback, http.StatusOK) {
			return
		}
	}
	if !s.serve(w, r, "404.html", http.StatusNotFound) {
		http.Error(w, "Not found", http.StatusNotFound)
	}
}

// isHidden reports whether a path has a part that is not for the public.
func isHidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "node_modules" || strings.HasPrefix(part, ".") && part != ".well-known" {
			return true
		}
	}
	return false
}

func (s *Site) isFile(name string) bool {
	info, err := s.root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// open opens a regular file of the site's owner. A link to another's file, which the
// server may read, is not served.
func (s *Site) open(name string) (*os.File, fs.FileInfo, error) {
	if !s.isFile(name) {
		return nil, nil, fs.ErrNotExist
	}
	file, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe by now
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !info.Mode().IsRegular() || !ok || stat.Nlink > 1 && stat.Uid != s.owner {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		_ = file.Close() // only read
		return nil, nil, err
	}
	return file, info, nil
}

// encodings are the encodings of files beside others, the best first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} //nolint:gochecknoglobals // a table

// serve serves a file, and reports whether there is one.
func (s *Site) serve(w http.ResponseWriter, r *http.Request, name string, status int) bool {
	file, info, err := s.open(name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // only read
	h := w.Header()
	h.Set("Content-Type", typeOf(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	for _, e := range encodings {
		if !accepts(r.Header.Values("Accept-Encoding"), e.name) {
			continue
		}
		packed, packedInfo, err := s.open(name + e.suffix)
		if err != nil {
			continue
		}
		_ = file.Close() // only read
		file, info, name = packed, packedInfo, name+e.suffix
		h.Set("Content-Encoding", e.name)
		break
	}
	if tag, err := s.tag(name, file, info); err == nil {
		h.Set("ETag", tag)
	}
	if status == http.StatusOK {
		http.ServeContent(w, r, "", info.ModTime(), file)
		return true
	}
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, file) // the client may have disconnected
	}
	return true
}

// maxHashed is the size of the largest file whose ETag is of its content.
const maxHashed = 16 << 20

// tag returns the ETag of a file. That of a large one is of its size and time.
func (s *Site) tag(name string, file io.ReadSeeker, info fs.FileInfo) (string, error) {
	if known, ok := s.tags.Load(name); ok {
		return known.(string), nil //nolint:forcetypeassert // nothing else is stored
	}
	tag := fmt.Sprintf("\"%x-%x\"", info.Size(), info.ModTime().UnixNano()/int64(time.Microsecond))
	if info.Size() <= maxHashed {
		sum := sha256.New()
		if _, err := io.Copy(sum, file); err != nil {
			return "", err
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
		tag = `"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:15]) + `"`
	}
	s.tags.Store(name, tag)
	return tag, nil
}

// accepts reports whether a client accepts an encoding by name.
func accepts(headers []string, encoding string) bool {
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			name, params, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(name), encoding) {
				continue
			}
			q, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !ok || err == nil && weight > 0
		}
	}
	return false
}

// types are the media types that the system's table may lack or name differently.
var types = map[string]string{ //nolint:gochecknoglobals // a table
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json",
	".map": "application/json", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8",
	".md": "text/markdown; charset=utf-8", ".xml": "application/xml", ".svg": "image/svg+xml", ".png": "image/png",
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif",
	".ico": "image/x-icon", ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
	".wasm": "application/wasm", ".pdf": "application/pdf", ".mp4": "video/mp4", ".webm": "video/webm",
	".mp3": "audio/mpeg", ".wav": "audio/wav", ".zip": "application/zip",
}

func typeOf(name string) string {
	suffix := strings.ToLower(path.Ext(name))
	if known := types[suffix]; known != "" {
		return known
	}
	if known := mime.TypeByExtension(suffix); known != "" {
		return known
	}
	return "application/octet-stream"
}
