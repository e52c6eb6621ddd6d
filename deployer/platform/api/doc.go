// Package api is the platform's HTTP API, as the published clients of the
// hosted platform expect it: the npm packages nodejitsu-api 0.6.6 and jitsu
// 0.15.0.
//
// There is a file for each resource; routes.go lists all routes with the access
// that they require. An error response is JSON with `error`, a name for programs,
// and `message`, a sentence for people. Every response has the header
// X-Powered-By, without which those clients reject it.
//
// Those clients treat a response with an unknown status as a success, and they
// know 400, 401, 402, 403, 404, 405, 409, 500 and 503. So no other status is used
// for errors.
package api
