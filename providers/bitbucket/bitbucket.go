package bitbucket

import (
	"cmp"
	"crypto/sha256"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
	"github.com/nodejitsu/webhooks/providers/internal/signature"
)

// Headers of a delivery, as net/http spells them.
const (
	headerEvent     = "X-Event-Key"
	headerSignature = "X-Hub-Signature"
	headerRequest   = "X-Request-Uuid" // of Bitbucket Cloud
	headerRequestDC = "X-Request-Id"   // of Bitbucket Data Center
)

// The events that are read whole.
const (
	eventPush          = "repo:push"
	eventStatusCreated = "repo:commit_status_created"
	eventStatusUpdated = "repo:commit_status_updated"
	eventRefsChanged   = "repo:refs_changed" // of Data Center
	eventPing          = "diagnostics:ping"  // of Data Center
)

// Cloud is the forge of every repository of Bitbucket Cloud.
const Cloud = "bitbucket.org"

// Provider reads the deliveries of Bitbucket Cloud and Data Center. The zero value
// is ready to use, and all its methods may be called concurrently.
type Provider struct {
	// DataCenter is the forge, as host or host:port, of a repository of Data Center
	// whose payload does not say where it is. Without it such a repository has none.
	DataCenter string
}

// Name returns [core.ProviderBitbucket].
func (Provider) Name() core.Provider { return core.ProviderBitbucket }

// Recognize reports whether d is Bitbucket's by the header X-Event-Key.
func (Provider) Recognize(d core.Delivery) bool { return len(d.Header[headerEvent]) > 0 }

// Resembles reports whether the payload is a push of Bitbucket Cloud or any event of
// Data Center.
func (Provider) Resembles(d core.Delivery) bool {
	p, err := read(d.Payload)
	return err == nil && p.shape() != ""
}

// DeliveryID returns the id that Bitbucket gave the request, which the signature
// does not cover.
func (Provider) DeliveryID(d core.Delivery) (id string, signed bool) {
	return field.Word(cmp.Or(field.Header(d, headerRequest), field.Header(d, headerRequestDC))), false
}

// Verify checks the header X-Hub-Signature, the HMAC-SHA256 of the body in hex after
// "sha256=", against each of keys, in constant time. A malformed signature is
// invalid. The result is [core.SignatureUnchecked] if there are no keys; an empty
// key does not count as one.
func (Provider) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	header := field.Header(d, headerSignature)
	if header == "" {
		return core.SignatureNone, -1
	}
	digits, found := strings.CutPrefix(header, "sha256=")
	if !found {
		digits = "" // malformed
	}
	return signature.HMAC(sha256.New, digits, d.Body, keys)
}

// Changed reports that it is not known which files are changed: Bitbucket lists no files.
func (Provider) Changed(core.Delivery, func(file string) bool) (changed, complete bool) {
	return false, false
}

// Parse reads the event.
//
// Of a push, repo:push or repo:refs_changed, the result is the event of the first
// change; those of the other changes are its Others. Commit is what to deploy. Data
// Center describes the commit of one change at most, and older versions of none. Neither
// sends the default branch. A push that lists no changes is core.EventOther.
//
// The status of a commit is a core.EventBuild of Build.Type "status".
//
// Any other event is core.EventOther by its key, with what the payload says of the
// repository; the test of Data Center, diagnostics:ping, is core.EventPing.
// Repository.Forge is [Cloud], or the host of the repository's web address, or else
// Provider.DataCenter.
//
// Parse fails with core.CodeProviderNotSupported if the payload is not a JSON
// object, and if a push or a status has no valid repository, ref or commit.
func (pr Provider) Parse(d core.Delivery) (core.Event, error) {
	if jsonscan.New(d.Payload).Kind() != jsonscan.Object {
		return core.Event{}, field.Refuse("The payload is not a JSON object; send what Bitbucket sends")
	}
	p, err := read(d.Payload)
	if err != nil {
		return core.Event{}, err
	}
	p.repository.dataCenter = pr.DataCenter
	switch name := field.Word(cmp.Or(p.eventKey, field.Header(d, headerEvent), p.shape())); name {
	case "":
		return p.other("unknown"), nil
	case eventPush, eventRefsChanged:
		return p.push(name)
	case eventStatusCreated, eventStatusUpdated:
		return p.statusEvent(name)
	case eventPing:
		e := p.other(name)
		e.Kind = core.EventPing
		return e, nil
	default:
		return p.other(name), nil
	}
}
