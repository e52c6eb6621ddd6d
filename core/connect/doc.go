// Package connect is the use case of making webhooks from our side: with a user's
// access token for a forge it makes a repository's webhook, or mends it, tests it, and
// asks for the deliveries that were missed.
package connect
