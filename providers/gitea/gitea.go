package gitea

import (
	"bytes"
	"crypto/sha256"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
	"github.com/nodejitsu/webhooks/providers/internal/signature"
)

// Headers of a delivery, as net/http spells them, in the order in which they
// count: the server's own first.
var (
	eventHeaders     = [...]string{"X-Forgejo-Event", "X-Gitea-Event", "X-Gogs-Event"}
	deliveryHeaders  = [...]string{"X-Forgejo-Delivery", "X-Gitea-Delivery", "X-Gogs-Delivery"}
	signatureHeaders = [...]string{"X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature", "X-Hub-Signature-256"}
)

// Provider reads the deliveries of Gitea, Forgejo and Gogs. The zero value is ready
// to use, and all its methods may be called concurrently.
type Provider struct{}

// Name returns [core.ProviderGitea].
func (Provider) Name() core.Provider { return core.ProviderGitea }

// Recognize reports whether d is from Gitea, Forgejo or Gogs by the header
// X-Forgejo-Event, X-Gitea-Event or X-Gogs-Event.
func (Provider) Recognize(d core.Delivery) bool {
	for _, name := range eventHeaders {
		if len(d.Header.Values(name)) > 0 {
			return true
		}
	}
	return false
}

// Resembles reports whether the payload is a push with a compare_url, which
// GitHub's pushes have not.
func (Provider) Resembles(d core.Delivery) bool {
	p, err := read(d.Payload)
	return err == nil && p.isPush()
}

// DeliveryID returns the id that the server gave the delivery, which the signature
// does not cover.
func (Provider) DeliveryID(d core.Delivery) (id string, signed bool) {
	return field.Word(first(d, deliveryHeaders[:])), false
}

// Verify checks the signature against each of keys, in constant time: the
// HMAC-SHA256 of the JSON text, in hex, which is the body or, in a form, its field
// payload. A server without a secret sends the headers with empty values: such a
// delivery has no signature. A malformed signature is invalid. The result is
// [core.SignatureUnchecked] if there are no keys; an empty key does not count as
// one.
func (Provider) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	digits := strings.TrimPrefix(first(d, signatureHeaders[:]), "sha256=")
	if digits == "" {
		return core.SignatureNone, -1
	}
	message := d.Body
	if !bytes.HasPrefix(bytes.TrimSpace(d.Body), []byte("{")) {
		message = d.Payload
	}
	return signature.HMAC(sha256.New, digits, message, keys)
}

// Parse reads the event.
//
// Of a push: Commit is what to deploy, after, described by head_commit or the entry
// of commits with that id. The event delete is a push that deletes the ref.
//
// A run of a workflow, workflow_run, is a core.EventBuild: Build.Type is the event
// that started it, Build.State is started until it ended. So is the status of a
// commit, of Build.Type "status".
//
// Any other event is core.EventOther by the name in the header, with what the
// payload says of the repository. A tag and a new branch are reported as a push and
// by the event create, which is such an event. Repository.Forge is the host of the
// repository's web address.
//
// Parse fails with core.CodeProviderNotSupported if the payload is not a JSON
// object, and if a push or a build has no valid repository, ref or commit.
func (Provider) Parse(d core.Delivery) (core.Event, error) {
	if jsonscan.New(d.Payload).Kind() != jsonscan.Object {
		return core.Event{}, field.Refuse("The payload is not a JSON object; send what Gitea, Forgejo or Gogs sends")
	}
	p, err := read(d.Payload)
	if err != nil {
		return core.Event{}, err
	}
	name := field.Word(first(d, eventHeaders[:]))
	if name == "" && p.isPush() {
		name = "push"
	}
	switch name {
	case "":
		return p.other("unknown"), nil
	case "push":
		return p.push()
	case "delete":
		return p.deletion()
	case "workflow_run":
		return p.workflowRun()
	case "status":
		return p.status()
	}
	return p.other(name), nil
}

// first returns the first value among headers that is not empty.
func first(d core.Delivery, headers []string) string {
	for _, name := range headers {
		if value := d.Header.Get(name); value != "" {
			return value
		}
	}
	return ""
}
