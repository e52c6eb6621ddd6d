// Package travis reads the public keys that Travis CI signs its webhooks with,
// from the configuration that its API tells everybody: GET /config, field
// config.notifications.webhook.public_key, in PEM (travis-ci/travis-api,
// lib/travis/api/app/endpoint/home.rb). They are kept, and asked for anew where
// a signature does not fit, as Travis CI does not say when it changes them.
//
// Travis CI Enterprise has keys of its own, at the same path of its API.
package travis
