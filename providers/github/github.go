package github

import (
	"crypto/sha1" //nolint:gosec // for old servers, if it is switched on
	"crypto/sha256"
	"hash"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
	"github.com/nodejitsu/webhooks/providers/internal/signature"
)

// Headers of a delivery, as net/http spells them.
const (
	headerEvent        = "X-Github-Event"
	headerDelivery     = "X-Github-Delivery"
	headerSignature    = "X-Hub-Signature-256"
	headerSignatureOld = "X-Hub-Signature"
)

// Provider reads GitHub's deliveries. The zero value is ready to use, and all its
// methods may be called concurrently.
type Provider struct {
	// SHA1 accepts the signature in X-Hub-Signature, which is an HMAC-SHA1, if there
	// is no other: old GitHub Enterprise servers send that one alone. HMAC-SHA1 is
	// not broken, but do not rely on it without need.
	SHA1 bool
}

// Name returns [core.ProviderGitHub].
func (Provider) Name() core.Provider { return core.ProviderGitHub }

// Recognize reports whether d is GitHub's by the header X-GitHub-Event. Gitea and
// its relatives send that header as well.
func (Provider) Recognize(d core.Delivery) bool { return present(d, headerEvent) }

// Resembles reports whether the payload has the shape of a push or a ping.
func (Provider) Resembles(d core.Delivery) bool {
	_, kind, err := readShape(d.Payload)
	return err == nil && kind != ""
}

// DeliveryID returns the header X-GitHub-Delivery, which the signature does not
// cover.
func (Provider) DeliveryID(d core.Delivery) (id string, signed bool) {
	return field.Word(field.Header(d, headerDelivery)), false
}

// Verify checks the header X-Hub-Signature-256, the HMAC-SHA256 of the body as it
// arrived (docs.github.com, "Validating webhook deliveries"), against each of keys, in
// constant time. A malformed signature is invalid. The result is
// [core.SignatureWeak] if there is only the old X-Hub-Signature, unless SHA1 is set,
// and [core.SignatureUnchecked] if there are no keys; an empty key does not count as
// one.
func (p Provider) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	switch {
	case present(d, headerSignature):
		return verify(sha256.New, "sha256=", field.Header(d, headerSignature), d.Body, keys)
	case present(d, headerSignatureOld) && p.SHA1:
		return verify(sha1.New, "sha1=", field.Header(d, headerSignatureOld), d.Body, keys)
	case present(d, headerSignatureOld):
		return core.SignatureWeak, -1
	}
	return core.SignatureNone, -1
}

func verify(h func() hash.Hash, prefix, header string, body []byte, keys []core.Secret) (core.Signature, int) {
	digits, found := strings.CutPrefix(header, prefix)
	if !found {
		digits = "" // malformed
	}
	return signature.HMAC(h, digits, body, keys)
}

// Changed reports whether a push changes a file for which match is true, which it calls
// with each file that the payload lists. complete is false if that may not be every
// changed file.
func (Provider) Changed(d core.Delivery, match func(file string) bool) (changed, complete bool) {
	return gitpush.Changed(d.Payload, "", match)
}

// Parse reads the event.
//
// Of a push: Commit is what to deploy, `after` for a branch and the commit that the tag
// points to for a tag (`after` may be a tag object). Its message and author are those
// of head_commit, even if that has another id, as in payloads of 2012. Commits are the
// ids by which other senders may know the push, at most 256, the newest. A branch is
// the ref without "refs/heads/" and may contain slashes.
//
// The events workflow_run, check_suite and status are reports for the gate
// [core.GateChecks]. Any other except push and ping is core.EventOther by the name in the
// header. Parse
// fails with core.CodeProviderNotSupported if the payload is not a JSON object, and if
// a push has no valid repository, ref or commit.
func (Provider) Parse(d core.Delivery) (core.Event, error) {
	if jsonscan.New(d.Payload).Kind() != jsonscan.Object {
		return core.Event{}, field.Refuse("The payload is not a JSON object; send what GitHub sends")
	}
	if !present(d, headerEvent) {
		return parseShape(d.Payload)
	}
	switch name := field.Header(d, headerEvent); name {
	case "push":
		p, err := readPush(d.Payload)
		if err != nil {
			return core.Event{}, err
		}
		return p.push()
	case "ping":
		return parseOther(d.Payload, core.EventPing, name)
	case "workflow_run", "check_suite", "status":
		return parseChecks(d.Payload, name)
	default:
		name = field.Word(name)
		if name == "" {
			name = "unknown"
		}
		return parseOther(d.Payload, core.EventOther, name)
	}
}

// parseShape reads an event without a header.
func parseShape(text []byte) (core.Event, error) {
	p, kind, err := readShape(text)
	switch {
	case err != nil:
		return core.Event{}, err
	case kind == core.EventPush:
		return p.push()
	case kind == core.EventPing:
		return p.other(core.EventPing, "ping"), nil
	}
	return core.Event{}, field.Refuse("The payload is neither a push nor a ping, and there is no header X-GitHub-Event; send what GitHub sends")
}

func parseOther(text []byte, kind core.EventKind, name string) (core.Event, error) {
	p, err := readOther(text)
	if err != nil {
		return core.Event{}, err
	}
	return p.other(kind, name), nil
}

// readShape reads a payload and returns the event that its shape is that of, ""
// if it is neither a push nor a ping. A ref, the commit after and a repository
// do not make a push: GitHub Enterprise Server sends the same with cache_sync,
// without the commits and the head commit that every push has.
func readShape(text []byte) (payload, core.EventKind, error) {
	p, err := readPush(text)
	switch {
	case err != nil:
		return payload{}, "", err
	case p.ref != "" && p.after != "" && p.hasRepository && p.hasCommits:
		return p, core.EventPush, nil
	case p.zen != "":
		return p, core.EventPing, nil
	}
	return p, "", nil
}

func present(d core.Delivery, header string) bool { return len(d.Header[header]) > 0 }
