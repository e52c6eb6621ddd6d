package gitea

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
	"github.com/nodejitsu/webhooks/providers/internal/signature"
)

// What the names of the servers' own headers begin with, as net/http spells them.
const (
	forgejo = "X-Forgejo-"
	gitea   = "X-Gitea-"
	gogs    = "X-Gogs-"
)

// Provider reads the deliveries of Gitea, Forgejo and Gogs. The zero value is ready
// to use, and all its methods may be called concurrently.
type Provider struct{}

// Name returns [core.ProviderGitea].
func (Provider) Name() core.Provider { return core.ProviderGitea }

// Recognize reports whether d is from Gitea, Forgejo or Gogs by the header
// X-Forgejo-Event, X-Gitea-Event or X-Gogs-Event.
func (Provider) Recognize(d core.Delivery) bool {
	for _, name := range eventNames() {
		if len(d.Header[name]) > 0 {
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
	return field.Word(header(d, deliveryNames())), false
}

// Verify checks the signature against each of keys, in constant time: the
// HMAC-SHA256 of the JSON text, in hex, which is the body or, in a form, its field
// payload. A server without a secret sends the headers with empty values: such a
// delivery has no signature. A malformed signature is invalid. The result is
// [core.SignatureUnchecked] if there are no keys; an empty key does not count as
// one.
func (Provider) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	digits := cmp.Or(header(d, signatureNames()), strings.TrimPrefix(field.Header(d, "X-Hub-Signature-256"), "sha256="))
	if digits == "" {
		return core.SignatureNone, -1
	}
	message := d.Body
	if !bytes.HasPrefix(bytes.TrimSpace(d.Body), []byte("{")) {
		message = d.Payload
	}
	return signature.HMAC(sha256.New, digits, message, keys)
}

// Changed reports whether a push changes a file for which match is true, which it calls
// with each file that the payload lists. complete is false if that may not be every
// changed file.
func (Provider) Changed(d core.Delivery, match func(file string) bool) (changed, complete bool) {
	return gitpush.Changed(d.Payload, "total_commits", match)
}

// Parse reads the event.
//
// Of a push: Commit is what to deploy, after, described by head_commit or the entry
// of commits with that id. A push from a commit to itself is the test of a webhook, and
// core.EventPing. The event delete is a push that deletes the ref.
//
// A run of a workflow, workflow_run, or action_run_success and so on of Forgejo, is a
// core.EventBuild: Build.Type is the event that started it, Build.State is started until
// it ended. So is the status of a commit, of Build.Type "status".
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
	name := field.Word(header(d, eventNames()))
	if name == "" && p.isPush() {
		name = "push"
	}
	switch name {
	case "":
		return p.other("unknown"), nil
	case "push":
		if p.isTest() {
			e := p.other(name)
			e.Kind = core.EventPing
			return e, nil
		}
		return p.push()
	case "delete":
		return p.deletion()
	case "workflow_run":
		return p.workflowRun(name)
	case "action_run", "action_run_success", "action_run_recover", "action_run_failure":
		return p.forgejoRunEvent(name)
	case "status":
		return p.status()
	}
	return p.other(name), nil
}

// The names of a header of the servers, the server's own first.
func eventNames() [3]string { return [...]string{forgejo + "Event", gitea + "Event", gogs + "Event"} }

func deliveryNames() [3]string {
	return [...]string{forgejo + "Delivery", gitea + "Delivery", gogs + "Delivery"}
}

func signatureNames() [3]string {
	return [...]string{forgejo + "Signature", gitea + "Signature", gogs + "Signature"}
}

// header returns the first header that is not empty.
func header(d core.Delivery, names [3]string) string {
	for _, name := range names {
		if value := field.Header(d, name); value != "" {
			return value
		}
	}
	return ""
}
