package dashboard

import (
	"maps"
	"net/http"
	"slices"
)

// confirmPage asks whether something is to be done that can't be undone, or that
// people notice. It works without JavaScript.
type confirmPage struct {
	Question string
	Action   string // of the button
	Path     string // that the form is sent to
	Back     string // the page to return to
	Fields   []field
}

// field is a field of the form that is sent again.
type field struct{ Name, Value string }

// confirmed reports whether the form that r sends was confirmed. If it was not, it
// responds with a page that asks, and sends the same form again.
func (d *Dashboard) confirmed(w http.ResponseWriter, r *http.Request, question, action, back string) (bool, error) {
	if r.PostFormValue("confirmed") != "" {
		return true, nil
	}
	p := confirmPage{Question: question, Action: action, Path: r.URL.EscapedPath(), Back: back}
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		if name != "token" {
			p.Fields = append(p.Fields, field{name, r.PostForm.Get(name)})
		}
	}
	return false, d.render(w, r, http.StatusOK, "confirm", action, p)
}
