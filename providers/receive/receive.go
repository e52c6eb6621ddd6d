package receive

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// Provider reads the deliveries of one kind of sender. The packages of this module
// implement it.
type Provider interface {
	Name() core.Provider
	Recognize(d core.Delivery) bool
	Resembles(d core.Delivery) bool
	DeliveryID(d core.Delivery) (id string, signed bool)
	Verify(d core.Delivery, keys []core.Secret) (s core.Signature, key int)
	Parse(d core.Delivery) (core.Event, error)
}

// Sender is a kind of sender with the keys that its deliveries are verified with:
// webhook secrets or, of Travis CI, public keys in PEM.
type Sender struct {
	Provider Provider
	Keys     []core.Secret
}

// Receiver receives the deliveries of its senders. It must not be changed while it
// is in use, and may then be used concurrently.
type Receiver struct {
	// Senders are asked in this order whose delivery it is. Gitea and its relatives
	// must come before GitHub, whose headers they send as well.
	Senders []Sender
	// MaxBody is the maximum size of a body in bytes. Zero means [core.MaxPayload].
	MaxBody int64
	// Unsigned accepts deliveries that are not signed, because something before the
	// receiver authenticates their senders. Signatures that are present are still
	// verified.
	Unsigned bool
}

// New returns a Receiver of the deliveries of one kind of sender that are signed with
// one of keys.
func New(p Provider, keys ...core.Secret) *Receiver {
	return &Receiver{Senders: []Sender{{Provider: p, Keys: keys}}}
}

// Delivery is a received delivery.
type Delivery struct {
	core.Delivery
	// ID is the id that the sender gave the delivery, "" if there is none. It is the
	// same when the delivery is repeated.
	ID string
	// Signature is [core.SignatureValid], or another value if the Receiver accepts
	// deliveries that are not signed.
	Signature core.Signature
	// Event is what the delivery says. Fields that it does not have are in Payload,
	// as JSON.
	Event core.Event
}

// Events returns Event and its Others.
func (d Delivery) Events() []core.Event { return append([]core.Event{d.Event}, d.Event.Others...) }

// Receive reads a delivery from a request. w is that of the handler; Receive writes
// nothing to it. Its errors are [core.Error]s, which [Error] answers.
func (r *Receiver) Receive(w http.ResponseWriter, req *http.Request) (Delivery, error) {
	body, err := r.body(w, req)
	if err != nil {
		return Delivery{}, err
	}
	delivery, err := core.NewDelivery(textproto.MIMEHeader(req.Header), body)
	if err != nil {
		return Delivery{}, err
	}
	from, found := r.sender(delivery)
	if !found {
		return Delivery{}, core.NewError(core.CodeProviderNotSupported, "The delivery is from no sender that is received here", nil)
	}
	d := Delivery{Delivery: delivery}
	d.ID, _ = from.Provider.DeliveryID(delivery)
	d.Signature, _ = from.Provider.Verify(delivery, from.Keys)
	if err := r.accept(d.Signature, from); err != nil {
		return Delivery{}, err
	}
	d.Event, err = from.Provider.Parse(delivery)
	return d, err
}

// Handler returns a handler that calls f with each event of a delivery, one after
// the other, and answers 204 if f returns no error. An error of f that is a
// [core.Error] is answered as [Error] does, any other without its text.
func (r *Receiver) Handler(f func(context.Context, core.Event) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d, err := r.Receive(w, req)
		if err != nil {
			Error(w, err)
			return
		}
		for _, e := range d.Events() {
			if err := f(req.Context(), e); err != nil {
				Error(w, err)
				return
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// body reads the body of a request.
func (r *Receiver) body(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	if req.Method != http.MethodPost {
		return nil, core.NewError(core.CodeHTTPMethodNotAllowed, "Webhooks are received by POST", nil)
	}
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, core.Errorf(core.CodePayloadEncoding, "The content encoding %q is not supported; send the body without one", encoding)
	}
	limit := r.MaxBody
	if limit == 0 {
		limit = core.MaxPayload
	}
	if req.ContentLength > limit {
		return nil, core.Errorf(core.CodePayloadTooLarge, "The body has %d bytes, and at most %d are accepted", req.ContentLength, limit)
	}
	// What the client says of the length is believed up to a megabyte. The end is found
	// without growing the body if there is room for one byte more.
	body := make([]byte, 0, min(max(req.ContentLength, 0), 1<<20)+1)
	limited := http.MaxBytesReader(w, req.Body, limit)
	for {
		n, err := limited.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, core.Errorf(core.CodePayloadTooLarge, "The body has more than %d bytes", limit)
		}
		if err != nil {
			return nil, core.NewError(core.CodeNoPayload, "The body could not be read to its end", err)
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, 1)
		}
	}
}

// sender returns the sender of a delivery: by its headers, else by the shape of its
// payload.
func (r *Receiver) sender(d core.Delivery) (Sender, bool) {
	for _, s := range r.Senders {
		if s.Provider.Recognize(d) {
			return s, true
		}
	}
	for _, s := range r.Senders {
		if s.Provider.Resembles(d) {
			return s, true
		}
	}
	return Sender{}, false
}

// accept returns an error unless a delivery with that signature is accepted.
func (r *Receiver) accept(s core.Signature, from Sender) error {
	refuse := func(reason string) error { return core.NewError(core.CodeBadSignature, reason, nil) }
	switch {
	case s == core.SignatureValid:
		return nil
	case s == core.SignatureInvalid:
		return refuse("The signature is not one of a secret that is known here; set the same secret at both ends")
	case r.Unsigned:
		return nil
	case s == core.SignatureUnchecked:
		return refuse("The receiver has no secret of " + string(from.Provider.Name()) + " to verify the signature with")
	case s == core.SignatureWeak:
		return refuse("The delivery is signed with SHA-1 alone; have it signed with SHA-256")
	}
	return refuse("The delivery is not signed; set a secret in the settings of the webhook")
}
