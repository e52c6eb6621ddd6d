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

// Provider reads Travis CI's notifications. The zero value is ready, and all
// its methods may be called concurrently.
type Provider struct{}

// Name returns [core.ProviderTravis].
func (Provider) Name() core.Provider { return core.ProviderTravis }

// Recognize tells whether d is Travis CI's: by its headers, else by the shape
// of its payload, a build of a repository that has an owner_name. What GitHub's
// header names is not, nor is the card that Travis CI makes of a build for
// Microsoft Teams, which does not tell what was built.
func (Provider) Recognize(d core.Delivery) bool {
	if present(d, "X-Github-Event") {
		return false
	}
	p, err := read(d.Payload)
	if present(d, headerSignature) || present(d, headerSlug) || present(d, headerSlugOld) {
		return err != nil || !p.card() // a payload that is broken is still theirs
	}
	return err == nil && p.build()
}

// Parse reads the event, a build: Commit, Branch or Tag, and Build, of which
// State is what the payload's `state` says; payloads before 2015 lack it and
// are read by their message: passed is only "Passed" or "Fixed" with a status
// of 0 (travis-ci/travis-tasks, lib/travis/addons/util/result_message.rb).
//
// A build is of a pull request where pull_request, pull_request_number or type
// say so, and in payloads that have none of them where compare_url leads to one.
// Name is the type of the build ("push", "pull_request", "cron", "api"), or
// "build" before that was told. Ref and PushedAt stay empty.
//
// It fails with core.CodeProviderNotSupported where the payload is no JSON
// object, names no valid repository or commit, or does not tell how the build
// stands.
func (Provider) Parse(d core.Delivery) (core.Event, error) {
	if jsonscan.New(d.Payload).Kind() != jsonscan.Object {
		return core.Event{}, field.Refuse("The payload is no JSON object; send what Travis CI sends")
	}
	p, err := read(d.Payload)
	if err != nil {
		return core.Event{}, err
	}
	return p.event()
}

func present(d core.Delivery, header string) bool { return len(d.Header.Values(header)) > 0 }
