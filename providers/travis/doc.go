// Package travis reads Travis CI's webhook notifications, and what a repository's
// .travis.yml says about them.
//
// Notifications arrive as a form field "payload" with the headers Signature and
// Travis-Repo-Slug (travis-ci/travis-tasks, lib/travis/addons/webhook). Those from
// before October 2013 have neither and are recognized by their shape. The payload has
// grown since 2011; [Provider.Parse] reads the payloads of all years.
//
// [ParseConfig] reads whether a passed build of a branch is notified, so that a push
// may wait for it.
package travis
