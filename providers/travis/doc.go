// Package travis reads Travis CI's webhook notifications, and what a
// repository's .travis.yml says of them.
//
// Notifications come as a form field "payload" with the headers Signature and
// Travis-Repo-Slug (travis-ci/travis-tasks, lib/travis/addons/webhook); those
// of before October 2013 have neither and are recognised by their shape. The
// payload has grown since 2011, and [Provider.Parse] reads it in all its ages.
//
// [ParseConfig] answers whether a build of a branch that passes is going to be
// notified, so that a push may wait for it.
package travis
