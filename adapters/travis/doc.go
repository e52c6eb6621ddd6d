// Package travis reads the public keys that Travis CI signs its webhooks with.
// They are in the configuration that its API publishes: GET /config, field
// config.notifications.webhook.public_key, in PEM (travis-ci/travis-api,
// lib/travis/api/app/endpoint/home.rb). Travis CI does not announce a change of
// its keys, so they are read again when a signature does not match.
//
// Travis CI Enterprise has its own keys, at the same path of its API.
package travis
