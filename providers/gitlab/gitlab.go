package gitlab

import (
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// Headers of a delivery, as net/http spells them.
const (
	headerEvent     = "X-Gitlab-Event"
	headerInstance  = "X-Gitlab-Instance" // the URL of the GitLab instance
	headerToken     = "X-Gitlab-Token"
	headerDelivery  = "Idempotency-Key" // the same in repeated deliveries
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Provider reads GitLab's deliveries. The zero value is ready to use, and all its
// methods may be called concurrently.
type Provider struct {
	// Now returns the current time, which the timestamps of signed deliveries are
	// compared with. Nil means time.Now.
	Now func() time.Time
}

// Name returns [core.ProviderGitLab].
func (Provider) Name() core.Provider { return core.ProviderGitLab }

// Recognize reports whether d is GitLab's by the header X-Gitlab-Event.
func (Provider) Recognize(d core.Delivery) bool { return len(d.Header[headerEvent]) > 0 }

// Resembles reports whether the payload has an object_kind or an event_name, and a
// project.
func (Provider) Resembles(d core.Delivery) bool {
	p, err := read(d.Payload)
	return err == nil && p.kind() != "" && p.hasProject
}

// DeliveryID returns the id that GitLab gave the delivery, which is the same when it
// is sent again. A signature covers it, and who knows a secret token can send
// anything.
func (Provider) DeliveryID(d core.Delivery) (id string, signed bool) {
	if field.Header(d, headerSignature) != "" {
		return field.Word(field.Header(d, headerID)), true
	}
	return field.Word(field.Header(d, headerDelivery)), true
}

// Changed reports whether a push changes a file for which match is true, which it calls
// with each file that the payload lists. complete is false if that may not be every
// changed file.
func (Provider) Changed(d core.Delivery, match func(file string) bool) (changed, complete bool) {
	return gitpush.Changed(d.Payload, "total_commits_count", match)
}

// Parse reads the event.
//
// Of a push: Commit is what to deploy, checkout_sha, described by the entry of
// commits with that id, of which GitLab sends the newest 20. A deleted ref has no
// commit.
//
// A pipeline is a core.EventBuild: Build.Type is what started it ("push",
// "schedule", "merge_request_event"), Build.State is started until the pipeline has
// ended, or waiting if it goes on only when a person starts a manual job.
//
// Any other event is core.EventOther by its name, "build" for a job, with what the
// payload says of repository, ref, commit and build. Repository.Forge is the host
// of the project's web address, else that of the header X-Gitlab-Instance.
//
// Parse fails with core.CodeProviderNotSupported if the payload is not a JSON
// object that names an event, and if a push or a pipeline has no valid repository,
// ref or commit.
func (Provider) Parse(d core.Delivery) (core.Event, error) {
	if jsonscan.New(d.Payload).Kind() != jsonscan.Object {
		return core.Event{}, field.Refuse("The payload is not a JSON object; send what GitLab sends")
	}
	p, err := read(d.Payload)
	if err != nil {
		return core.Event{}, err
	}
	p.instance = field.Header(d, headerInstance)
	switch p.kind() {
	case "":
		return core.Event{}, field.Refuse("The payload has neither object_kind nor event_name; remove the webhook's custom template, so that GitLab sends its own payload")
	case "push", "tag_push":
		return p.push()
	case "pipeline":
		return p.pipelineEvent()
	case "build":
		return p.job(), nil
	}
	return p.other(), nil
}
