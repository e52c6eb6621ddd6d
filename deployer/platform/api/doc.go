// Package api is the platform's HTTP API, as the published clients of the
// hosted platform expect it: the npm packages nodejitsu-api 0.6.6 and jitsu
// 0.15.0.
//
// A file for each thing that has routes; routes.go lists them all, with who may
// call them. A refusal is JSON with `error`, a name for programs, and
// `message`, a sentence for people. Every answer has the header X-Powered-By,
// without which those clients refuse it.
//
// Those clients take an answer whose status they don't know for a success, and
// they know 400, 401, 402, 403, 404, 405, 409, 500 and 503. So these are all
// that are used to refuse.
package api
