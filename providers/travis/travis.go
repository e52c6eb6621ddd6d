package travis

import (
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// Headers of a notification, as net/http spells them.
const (
	headerSignature = "Signature"
	headerSlug      = "Travis-Repo-Slug"
	headerSlugOld   = "X-Travis-Repo-Slug" // a week of October 2013
)

// Provider reads Travis CI's notifications. The zero value is ready to use, and all
// its methods may be called concurrently.
type Provider struct{}

// Name returns [core.ProviderTravis].
func (Provider) Name() core.Provider { return core.ProviderTravis }

// Recognize reports whether d is Travis CI's by the header Signature or
// Travis-Repo-Slug. The card that Travis CI makes of a build for Microsoft Teams is
// not: it does not say what was built.
func (Provider) Recognize(d core.Delivery) bool {
	if !present(d, headerSignature) && !present(d, headerSlug) && !present(d, headerSlugOld) {
		return false
	}
	p, err := read(d.Payload)
	return err != nil || !p.card()
}

// Resembles reports whether the payload is that of a build of a repository with an
// owner_name.
func (Provider) Resembles(d core.Delivery) bool {
	p, err := read(d.Payload)
	return err == nil && p.build()
}

// DeliveryID returns "": Travis CI's notifications have no id.
func (Provider) DeliveryID(core.Delivery) (id string, signed bool) { return "", false }

// Changed reports that it is not known which files are changed: Travis CI lists no files.
func (Provider) Changed(core.Delivery, func(file string) bool) (changed, complete bool) {
	return false, false
}

// Parse reads the event, a build: Commit, Branch or Tag, and Build. Build.State is the
// payload's `state`. Payloads from before 2015 have none and are read by their message:
// "Passed" and "Fixed" with a status of 0 are passed (travis-ci/travis-tasks,
// lib/travis/addons/util/result_message.rb).
//
// A build is of a pull request if pull_request, pull_request_number or type say so, and
// in payloads without these if compare_url is that of one. Name is the type of the
// build ("push", "pull_request", "cron", "api"), or "build" in payloads without a type.
// Ref and PushedAt are empty.
//
// Parse fails with core.CodeProviderNotSupported if the payload is not a JSON object or
// has no valid repository, commit or state.
func (Provider) Parse(d core.Delivery) (core.Event, error) {
	if jsonscan.New(d.Payload).Kind() != jsonscan.Object {
		return core.Event{}, field.Refuse("The payload is not a JSON object; send what Travis CI sends")
	}
	p, err := read(d.Payload)
	if err != nil {
		return core.Event{}, err
	}
	return p.event()
}

func present(d core.Delivery, header string) bool { return len(d.Header[header]) > 0 }
