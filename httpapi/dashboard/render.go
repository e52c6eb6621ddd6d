package dashboard

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

//go:embed templates
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// parsePages returns the templates of the pages by name. Each has what pages have in
// common, and its own contents as "main".
func parsePages() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(functions()).ParseFS(templateFiles, "templates/*.html"))
	pages := map[string]*template.Template{}
	for _, t := range layout.Templates() {
		if name, ok := strings.CutPrefix(t.Name(), "page "); ok {
			page := template.Must(layout.Clone())
			pages[name] = template.Must(page.AddParseTree("main", t.Tree))
		}
	}
	return pages
}

// view is what the layout shows.
type view struct {
	Title string
	Path  string // of the page
	User  string // who is signed in; "" if no user is
	Token string // of the forms
	Now   time.Time
	Page  any // what the page itself shows
}

// render responds with a page.
func (d *Dashboard) render(w http.ResponseWriter, r *http.Request, code int, name, title string, page any) error {
	v := visitOf(r)
	var out bytes.Buffer
	err := d.pages[name].ExecuteTemplate(&out, "layout.html", view{
		Title: title, Path: r.URL.Path, User: v.user, Token: v.token, Now: d.o.Now().UTC(), Page: page,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes()) // the browser may have gone
	return nil
}

// errorPage is what the page about an error shows.
type errorPage struct {
	Reason, Code, UUID string

	Back string // the page with the form that failed; "" if there is none
}

// back returns the page with the form that a request has sent: "" if it was not one of
// a signed-in user.
func back(r *http.Request) string {
	page := path.Dir(r.URL.EscapedPath())
	switch {
	case r.Method != http.MethodPost || visitOf(r).user == "" || page+"/" == Prefix:
		return ""
	case strings.HasPrefix(page, accountPath):
		return accountPath
	}
	return page
}

func errNotFound() error { return core.NewError(core.CodeHTTPNotFound, "There is no such page", nil) }

// errForm is the error of a request that no form of ours has sent.
var errForm = errors.New("the form was opened too long ago or came from another site, so nothing was changed: load the page again, then repeat what you did")

// showError responds with a page about an error.
func (d *Dashboard) showError(w http.ResponseWriter, r *http.Request, err error) {
	e := core.AsError(err)
	code := statusOf(e.Code)
	if errors.Is(err, errForm) {
		code, e = http.StatusForbidden, &core.Error{Reason: errForm.Error()}
	}
	uuid := w.Header().Get("X-Api-Uuid")
	if code >= http.StatusInternalServerError && r.Context().Err() == nil {
		d.o.Logger.ErrorContext(r.Context(), "page failed", "uuid", uuid, "code", string(e.Code), "error", errors.Unwrap(e))
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", retryAfter(e))
	}
	if err := d.render(w, r, code, "error", "That did not work", errorPage{Reason: sentence(e.Reason), Code: string(e.Code), UUID: uuid, Back: back(r)}); err != nil {
		d.o.Logger.ErrorContext(r.Context(), "page not rendered", "uuid", uuid, "error", err)
		http.Error(w, "something went wrong", http.StatusInternalServerError)
	}
}

// statusOf returns the status code of the page about an error.
func statusOf(code core.Code) int {
	switch code {
	case core.CodeHTTPNotFound, core.CodeAccountNotFound, core.CodeStatusNotFound, core.CodePlatformAppNotFound, core.CodePlatformSnapshotNotFound:
		return http.StatusNotFound
	case core.CodeNotHeld, core.CodeConflict, core.CodeRedeliverLive, core.CodeRedeliverNoPayload, core.CodeCancelOver, core.CodeCancelStarting, core.CodePlatformAppConflict, core.CodePlatformHostConflict, core.CodeAccountConflict, core.CodePlatformSnapshotConflict:
		return http.StatusConflict
	case core.CodeGetUserFailed, core.CodeUpdateUserFailed:
		return http.StatusInternalServerError
	case core.CodePasswordRequired:
		return http.StatusForbidden
	case core.CodePlatformInvalid, core.CodePlatformStartFailed, core.CodePlatformNoSnapshots:
		return http.StatusUnprocessableEntity
	case core.CodePlatformBusy, core.CodeAuthServerDown, core.CodeHTTPUnavailable, core.CodePlatformNoSpace:
		return http.StatusServiceUnavailable
	}
	if strings.HasPrefix(string(code), "auth:") { // a token or a name that is not right
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// retryAfter returns how long to wait, in seconds.
func retryAfter(e *core.Error) string {
	return strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds())))
}

// static responds with a file that pages use.
func (d *Dashboard) static(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, staticFiles, "static/"+r.PathValue("file")) //nolint:gosec // an embedded file, and no path within it
}

// redirect sends the browser to a page of ours, by GET.
func redirect(w http.ResponseWriter, r *http.Request, page string) error {
	http.Redirect(w, r, page, http.StatusSeeOther) //nolint:gosec // page begins with a slash, and is a path here
	return nil
}
