// Package docs serves the documentation of the repository as pages for browsers. It
// has a copy of the files, as a module can't embed what is outside of its folder; a
// test compares the two.
package docs

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// Path is below which the pages are.
const Path = "/docs"

// repository is where links lead to files that are not served.
const repository = "https://github.com/nodejitsu/webhooks/blob/main/"

// start is the page at Path.
const start = "README.md"

// policy is the Content-Security-Policy of the pages.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// The files as they are in the repository, without what links to outside of it.
//
//go:embed pages
var embedded embed.FS

//go:embed page.html docs.css icon.svg
var assets embed.FS

// page is one page.
type page struct {
	URL   string
	Title string
	HTML  template.HTML
}

// Docs is an http.Handler of the documentation. It renders the pages at the first
// request.
type Docs struct {
	secure func(*http.Request) bool
	files  fs.FS
	render func() (map[string][]byte, error)
}

// New returns Docs. secure reports whether the client of a request uses TLS.
func New(secure func(*http.Request) bool) *Docs {
	files, err := fs.Sub(embedded, "pages")
	if err != nil {
		panic(err) // the folder is embedded
	}
	d := &Docs{secure: secure, files: files}
	d.render = sync.OnceValues(d.renderAll)
	return d
}

// ServeHTTP serves a page, a picture or the stylesheet.
func (d *Docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve.SecureHeaders(w.Header(), policy, d.secure(r))
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, Path), "/")
	pages, err := d.render()
	switch {
	case err != nil:
		http.Error(w, "The documentation can't be shown.", http.StatusInternalServerError)
	case pages[name] != nil:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(pages[name]) // the browser may have gone
	case name == "docs.css":
		http.ServeFileFS(w, r, assets, "docs.css")
	case name == "icon.svg":
		http.ServeFileFS(w, r, assets, "icon.svg")
	case path.Ext(name) == ".png":
		http.ServeFileFS(w, r, d.files, "docs/"+path.Base(name))
	default:
		http.Error(w, "There is no such page; the documentation begins at "+Path, http.StatusNotFound)
	}
}

// renderAll returns the pages by what follows Path in their URLs.
func (d *Docs) renderAll() (map[string][]byte, error) {
	names, err := fs.Glob(d.files, "docs/*.md")
	if err != nil {
		return nil, err
	}
	names = append([]string{start}, names...)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	var pages []page
	for _, name := range names {
		p, err := d.read(name)
		if err != nil {
			return nil, fmt.Errorf("docs: %s: %w", name, err)
		}
		pages = append(pages, p)
	}
	layout, err := template.ParseFS(assets, "page.html")
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, p := range pages {
		var out bytes.Buffer
		if err := layout.Execute(&out, struct {
			page

			Pages []page
		}{p, pages}); err != nil {
			return nil, err
		}
		all[strings.Trim(strings.TrimPrefix(p.URL, Path), "/")] = out.Bytes()
	}
	return all, nil
}

// order has the pages that are to be read first, in that order.
var order = []string{"README", "start", "apps", "forges", "settings", "operating", "kubernetes", "troubleshooting", "api"} //nolint:gochecknoglobals // a constant

// place returns the place of a page in the list of all.
func place(name string) int {
	if i := slices.Index(order, strings.TrimSuffix(path.Base(name), ".md")); i >= 0 {
		return i
	}
	return len(order) // after these, by name
}

// read renders one file.
func (d *Docs) read(name string) (page, error) {
	source, err := fs.ReadFile(d.files, name)
	if err != nil {
		return page{}, err
	}
	markdown := goldmark.New(
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(&links{d.files, name}, 100))),
	)
	var out bytes.Buffer
	if err := markdown.Convert(source, &out); err != nil {
		return page{}, err
	}
	title, _, _ := strings.Cut(string(source), "\n")
	return page{pageURL(name), strings.TrimLeft(title, "# "), template.HTML(scrollable.Replace(out.String()))}, nil //nolint:gosec // of our own Markdown, without raw HTML
}

// scrollable makes focusable what may be wider than the window, so that it can be
// scrolled by the keyboard. In text, "<" is escaped.
var scrollable = strings.NewReplacer("<pre>", `<pre tabindex="0">`, "<table>", `<table tabindex="0">`) //nolint:gochecknoglobals // a constant

// pageURL returns the URL of the page of a file.
func pageURL(name string) string {
	if name == start {
		return Path
	}
	return Path + "/" + strings.TrimSuffix(path.Base(name), ".md")
}

// links changes the links of a file to the URLs of what they lead to.
type links struct {
	files fs.FS
	name  string // of the file
}

// Transform implements parser.ASTTransformer.
func (l *links) Transform(document *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it never fails
		switch n := n.(type) {
		case *ast.Link:
			n.Destination = []byte(l.resolve(string(n.Destination)))
		case *ast.Image:
			if entering {
				n.Destination = []byte(l.resolve(string(n.Destination)))
			}
		}
		return ast.WalkContinue, nil
	})
}

// resolve returns the URL of what a link in the file leads to.
func (l *links) resolve(target string) string {
	file, fragment, _ := strings.Cut(target, "#")
	if file == "" || strings.Contains(target, ":") || strings.HasPrefix(target, "/") {
		return target
	}
	if fragment != "" {
		fragment = "#" + fragment
	}
	file = path.Join(path.Dir(l.name), file)
	if _, err := fs.Stat(l.files, file); err != nil {
		return repository + file + fragment
	}
	if path.Ext(file) == ".md" {
		return pageURL(file) + fragment
	}
	return Path + "/" + path.Base(file)
}
