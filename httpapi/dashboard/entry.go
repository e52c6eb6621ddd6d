package dashboard

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

// shownPayload is how much of a payload a page shows, in bytes.
const shownPayload = 256 << 10

// entryPage is what the page of an entry shows.
type entryPage struct {
	core.Entry
	Remedy    string // what to do about the failure
	Delivery  string // the payload, indented; "" if it is no longer kept
	Truncated bool   // there is more of it
	Answer    string // what the sender was answered; "" if that is not known
}

// entry shows an entry: what it was, each step, and what came of it.
func (d *Dashboard) entry(w http.ResponseWriter, r *http.Request) error {
	user := visitOf(r).user
	change, err := d.o.Status.Entry(r.Context(), user, r.PathValue("id"))
	if err != nil {
		return err
	}
	p := entryPage{Entry: change.Entry}
	if p.Error != nil {
		p.Remedy = core.Remedy(p.Error.Code)
	}
	payload, err := d.o.Status.Payload(r.Context(), user, p.ID)
	switch {
	case err == nil:
		p.Delivery, p.Truncated = indented(payload)
	case core.CodeOf(err) != core.CodeStatusNotFound:
		return err
	}
	if p.Provider == core.ProviderPlatform {
		p.Delivery = "" // nothing was delivered
	}
	if d.o.Answer != nil {
		if p.Answer, err = d.o.Answer(change, d.base(r)); err != nil {
			return err
		}
	}
	title := subject(p.Commit)
	if title == "" {
		title = p.Event
	}
	return d.render(w, r, http.StatusOK, "entry", title, p)
}

// indented returns a JSON text for people, and whether it was cut.
func indented(text []byte) (string, bool) {
	var out bytes.Buffer
	if json.Indent(&out, text, "", "  ") != nil {
		out.Reset()
		out.Write(text)
	}
	if out.Len() <= shownPayload {
		return out.String(), false
	}
	return string(bytes.ToValidUTF8(out.Bytes()[:shownPayload], nil)), true
}

// changeEntry releases, cancels or redelivers an entry, and shows it. What is
// redelivered is a new entry.
func (d *Dashboard) changeEntry(w http.ResponseWriter, r *http.Request) error {
	ctx, user, id := r.Context(), visitOf(r).user, r.PathValue("id")
	var change core.Change
	var err error
	action := r.PathValue("action")
	switch action {
	case "release":
		change, err = d.o.Deploy.Release(ctx, user, id)
	case "cancel":
		change, err = d.o.Deploy.Cancel(ctx, user, id)
	case "redeliver":
		change, err = d.o.Deploy.Redeliver(ctx, user, id, w.Header().Get("X-Api-Uuid"))
	default:
		err = errNotFound()
	}
	if err != nil {
		return err
	}
	d.log(w, r, action, "entry_id", id)
	return redirect(w, r, "/-/entries/"+change.Entry.ID)
}

// log logs what the user did.
func (d *Dashboard) log(w http.ResponseWriter, r *http.Request, action string, attributes ...any) {
	d.o.Logger.InfoContext(r.Context(), "dashboard action", append([]any{
		"action", action, "user", visitOf(r).user, "uuid", w.Header().Get("X-Api-Uuid"),
	}, attributes...)...)
}
