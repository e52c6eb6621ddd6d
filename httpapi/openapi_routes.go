package httpapi

import (
	"strconv"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// operations describes each route of [API.routes].
func operations() map[string]operation {
	deploy := operation{
		summary: "Accept a delivery, and deploy what it says", auth: authSender, query: targetParameters(), headers: preferHeader(), body: payload(),
		responses: object{"200": answers("the outcome", ref("Change")), "202": answers("accepted, and not done yet; Location has the entry's URL", ref("Change"))},
	}
	entries := operation{
		summary: "List a user's entries, newest first", auth: authBasic, query: pageParameters(),
		responses: object{"200": object{
			"description": "a page of entries",
			"headers": object{
				"Link":          object{"description": "the first, previous, next and last page (RFC 8288)", "schema": object{"type": "string"}},
				"X-Total-Count": object{"description": "how many entries there are", "schema": object{"type": "integer"}},
			},
			"content": jsonOf(object{"type": "array", "items": ref("Entry")}),
		}},
	}
	badge := operation{
		summary:   "The badge of the latest deployment of a public repository; grey if there is none",
		responses: object{"200": object{"description": "the image", "content": object{"image/svg+xml": object{}, "image/png": object{}}}, "304": object{"description": "the image is still the same"}},
	}
	act := func(summary string) operation {
		return operation{summary: summary, auth: authBasic, headers: preferHeader(), responses: object{
			"200": answers("the outcome", ref("Change")), "202": answers("the change, which is not the last one", ref("Change")),
		}}
	}
	ok := func(summary string) operation {
		return operation{summary: summary, responses: object{"200": answers("yes", schemaOf(okBody{}, nil))}}
	}
	changed := answers("it was changed", schemaOf(okBody{}, nil))
	return map[string]operation{
		"POST /":                       deploy,
		"POST /1/deploy":               deploy,
		"GET /1/status/:user/webhooks": entries,
		"GET /1/status/:user/webhooks/:app": {
			summary: "List the entries of one app", auth: authBasic, query: entries.query, responses: entries.responses,
		},
		"GET /1/status/:user/changes": {
			summary: "Stream the changes of a user's entries", auth: authBasic, query: feedParameters(),
			headers: []parameter{{"Last-Event-ID", "as the parameter since, which it overrides", object{"type": "string"}}},
			responses: object{"200": object{"description": "a change on each line, or in each event; empty lines in between while nothing changes", "content": object{
				typeLines: object{"schema": object{"type": "string"}}, typeEvents: object{"schema": object{"type": "string"}},
			}}},
		},
		"GET /1/status/:user/changes/:id": {
			summary: "Read one entry", auth: authBasic, responses: object{"200": answers("its newest change, with doc", ref("Change"))},
		},
		"POST /1/status/:user/changes/:id/release":   act("Let a held entry go on"),
		"POST /1/status/:user/changes/:id/redeliver": act("Deliver the payload of an entry again"),
		"DELETE /1/status/:user/changes/:id":         act("Cancel what is pending or held"),
		"POST /1/auth/:forge": {
			summary: "Keep an access token for a forge", auth: authBasic,
			query: []parameter{
				{"app", "the one app that it may be used for; *: all", object{"type": "string"}},
				{"forge", "the host of the forge, if there are several of that kind", object{"type": "string"}},
			},
			body: object{"required": true, "content": object{"*/*": object{"schema": object{
				"type": "object", "required": []string{"credentials"},
				"properties": object{"credentials": object{"type": "string", "description": "login:token"}},
			}}}},
			responses: object{"200": answers("it was verified and stored", object{"type": "object", "properties": object{
				"ok": object{"type": "boolean"}, "provider": object{"type": "string"}, "login": object{"type": "string"},
				"scopes": object{"type": "array", "items": object{"type": "string"}}, "app": object{"type": "string"},
			}})},
		},
		"POST /1/connect/:forge": {
			summary: "Make the webhook of a repository, or change or check it", auth: authBasic,
			query: append([]parameter{
				{"repository", "OWNER/NAME", object{"type": "string"}},
				{"forge", "the host of the forge, if there are several of that kind", object{"type": "string"}},
				{"check", "true: change nothing, but have delivered again what failed", object{"type": "boolean"}},
			}, targetParameters()[:6]...), // all but the user
			responses: object{"200": answers("what was done", schemaOf(connectBody{}, nil))},
		},
		"PUT /1/users/:user": {
			summary: "Change your own password or mail address; not by an API token", auth: authBasic,
			body: sends(schemaOf(userBody{}, nil)), responses: object{"200": changed},
		},
		"GET /1/users/:user/tokens": {
			summary: "List the names of your API tokens", auth: authBasic, responses: object{"200": answers("the names", listOf(tokenBody{}))},
		},
		"POST /1/users/:user/tokens": {
			summary: "Make an API token; not by an API token", auth: authBasic, body: sends(schemaOf(addBody{}, nil), "name"),
			responses: object{"201": answers("the token, which is not shown again", schemaOf(tokenBody{}, nil))},
		},
		"DELETE /1/users/:user/tokens/:name": {summary: "Remove an API token; not by an API token", auth: authBasic, responses: object{"200": changed}},
		"GET /1/users/:user/secrets": {
			summary: "List your webhook secrets, without the secrets", auth: authBasic,
			responses: object{"200": answers("the names, and what each deploys", listOf(auth.WebhookSecret{}))},
		},
		"POST /1/users/:user/secrets": {
			summary: "Make a webhook secret", auth: authBasic, body: sends(schemaOf(addSecretBody{}, nil), "name"),
			responses: object{"201": answers("the secret, which is not shown again", schemaOf(secretBody{}, nil))},
		},
		"PUT /1/users/:user/secrets/:name": {
			summary: "Change what the deliveries of a webhook secret deploy", auth: authBasic,
			body: sends(object{"type": "object", "properties": object{"target": object{"anyOf": []object{schemaOf(core.Target{}, nil), {"type": "null"}}}}}), responses: object{"200": changed},
		},
		"DELETE /1/users/:user/secrets/:name": {summary: "Remove a webhook secret", auth: authBasic, responses: object{"200": changed}},
		"GET /1/users/:user/notifications": {
			summary: "List the chat services that are notified, without their addresses", auth: authBasic,
			responses: object{"200": answers("the services", listOf(auth.Notification{}))},
		},
		"POST /1/users/:user/notifications": {
			summary: "Have a chat service notified", auth: authBasic, body: sends(schemaOf(addNotificationBody{}, nil), "name", "address"),
			responses: object{"201": answers("the service, without its address", schemaOf(auth.Notification{}, nil))},
		},
		"POST /1/users/:user/notifications/:name/test": {summary: "Send a message to a chat service", auth: authBasic, responses: object{"200": changed}},
		"DELETE /1/users/:user/notifications/:name":    {summary: "Have a chat service notified no longer", auth: authBasic, responses: object{"200": changed}},
		"GET /:user/:repository.svg":                   badge,
		"GET /:user/:repository.png":                   badge,
		"GET /openapi.json":                            {summary: "This document", responses: object{"200": answers("the document", object{"type": "object"})}},
		"GET " + pathHealth:                            ok("Whether the process lives"),
		"GET /readyz":                                  ok("Whether requests should be sent here"),
	}
}

// answers returns a response with a JSON body.
func answers(description string, schema object) object {
	return object{"description": description, "content": jsonOf(schema)}
}

// sends returns the body of a request in JSON, with the fields that it must have.
func sends(schema object, required ...string) object {
	schema["required"] = append([]string{}, required...)
	return object{"required": true, "content": jsonOf(schema)}
}

// listOf returns the schema of an array of what v encodes to.
func listOf(v any) object { return object{"type": "array", "items": schemaOf(v, nil)} }

// payload returns the body of a delivery. Whatever its type says, it may be JSON or a
// form.
func payload() object {
	return object{
		"required":    true,
		"description": "the payload as JSON, or a form whose field payload has it, at most " + strconv.Itoa(core.MaxPayload>>20) + " MiB",
		"content":     object{"*/*": object{}},
	}
}

func preferHeader() []parameter {
	return []parameter{{"Prefer", "wait=N: wait up to N seconds for the outcome; respond-async: do not wait (RFC 7240)", object{"type": "string"}}}
}

func targetParameters() []parameter {
	text := object{"type": "string"}
	return []parameter{
		{"branch", "the one branch to deploy; default: the repository's default branch", text},
		{"app", "name of the app; default: that of package.json", text},
		{"root", "folder of the repository that has the app", text},
		{"paths", "comma-separated patterns of files; a push that changes none is ignored", text},
		{"gate", "what a push waits for: checks, names of checks, or none", text},
		{"gate_empty", "what becomes of a push that has no such checks: skip or deploy", text},
		{"user", "whose deployment it is, for a sender that signs its deliveries", text},
	}
}

func pageParameters() []parameter {
	return []parameter{
		{"limit", "entries on a page", object{"type": "integer", "minimum": 1, "maximum": maxLimit, "default": defaultLimit}},
		{"skip", "entries before it", object{"type": "integer", "minimum": 0, "default": 0}},
	}
}

func feedParameters() []parameter {
	millis := func(rest object) object {
		rest["type"], rest["minimum"], rest["maximum"] = "integer", minHeartbeat.Milliseconds(), maxFeedTime.Milliseconds()
		return rest
	}
	return []parameter{
		{"include_docs", "changes with the whole entry: true: all; auto: those of errors", object{"type": "string", "enum": []string{"true", "false", "auto"}, "default": "false"}},
		{"since", "now, 0 for all that are kept, or the seq of the last change that was read", object{"type": "string", "default": "now"}},
		{"feed", "continuous: until the reader leaves; longpoll: one batch; normal: what there is", object{"type": "string", "enum": []feedMode{feedContinuous, feedLongpoll, feedNormal}, "default": feedContinuous}},
		{"heartbeat", "milliseconds between empty lines while nothing changes", millis(object{"default": defaultHeartbeat.Milliseconds()})},
		{"timeout", "milliseconds without a change after which the feed ends", millis(object{})},
		{"app", "changes of this app only", object{"type": "string"}},
		{"status", "changes to these statuses only, with commas between them", object{"type": "string"}},
	}
}
