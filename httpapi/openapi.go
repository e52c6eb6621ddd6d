package httpapi

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// object is a JSON object of the OpenAPI document.
type object = map[string]any

// openAPI responds with the description of the API in the form of OpenAPI 3.1.
func (a *API) openAPI(c *gin.Context) error {
	document := a.document()
	document["servers"] = []object{{"url": a.base(c)}}
	c.Header("Access-Control-Allow-Origin", "*") // viewers of such documents are on other sites
	writeJSON(c, http.StatusOK, document)
	return nil
}

// document returns the description of the API.
func (a *API) document() object {
	paths := object{}
	for _, r := range a.routes() {
		path := template(r.path)
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(r.method)] = operations()[r.method+" "+r.path].document(path)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "Webhooks",
			"version": a.o.Version,
			"description": "A push becomes a running app. Every path may end in a slash, and every GET is a HEAD too. " +
				"Every answer has the headers X-Api-Uuid, which the server's log names, and X-Api-Version.",
		},
		"paths":         paths,
		"components":    components(),
		"x-error-codes": errorCodes(),
	}
}

// parameterForm matches a parameter in a path of Gin, and templateForm one in a path
// of OpenAPI.
var (
	parameterForm = regexp.MustCompile(`:([a-z]+)`)
	templateForm  = regexp.MustCompile(`\{([a-z]+)\}`)
)

// template returns a path of Gin in the form of OpenAPI.
func template(path string) string { return parameterForm.ReplaceAllString(path, "{$1}") }

// operation describes a route.
type operation struct {
	summary   string
	auth      authKind
	query     []parameter
	headers   []parameter
	body      object // the request's body; nil: none
	responses object // by status code
}

// authKind says who may call a route.
type authKind int

const (
	authNone   authKind = iota
	authBasic           // Basic authentication
	authSender          // Basic authentication, or the signature of a delivery
)

// parameter is a parameter of the query string, or a header.
type parameter struct {
	name, description string
	schema            object
}

func (o operation) document(path string) object {
	parameters := []object{}
	for _, name := range templateForm.FindAllStringSubmatch(path, -1) {
		parameters = append(parameters, object{"name": name[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for in, all := range map[string][]parameter{"query": o.query, "header": o.headers} {
		for _, p := range all {
			parameters = append(parameters, object{"name": p.name, "in": in, "description": p.description, "schema": p.schema})
		}
	}
	slices.SortStableFunc(parameters, func(a, b object) int { return strings.Compare(b["in"].(string), a["in"].(string)) }) //nolint:forcetypeassert // set above
	responses := object{"default": object{"$ref": "#/components/responses/Error"}}
	maps.Copy(responses, o.responses)
	described := object{"summary": o.summary, "parameters": parameters, "responses": responses, "security": o.auth.document()}
	if o.body != nil {
		described["requestBody"] = o.body
	}
	return described
}

func (k authKind) document() []object {
	switch k {
	case authBasic:
		return []object{{"basic": []string{}}}
	case authSender:
		return []object{{"basic": []string{}}, {"signature": []string{}}}
	}
	return []object{}
}

// components returns the parts that operations refer to.
func components() object {
	text := object{"type": "string"}
	return object{
		"securitySchemes": object{
			"basic":     object{"type": "http", "scheme": "basic", "description": "user:password or user:apiToken"},
			"signature": object{"type": "apiKey", "in": "header", "name": "X-Hub-Signature-256", "description": "the signature of a delivery, made with a webhook secret of the user that the parameter user names; other senders have headers of their own"},
		},
		"responses": object{
			"Error": object{"description": "what went wrong, and what to do", "content": jsonOf(ref("Error"))},
		},
		"schemas": object{
			"Error":  schemaOf(failure{}, object{"error": object{"type": "string", "enum": codes()}}),
			"Entry":  schemaOf(core.Entry{}, nil),
			"Change": changeSchema(),
			"Seq":    text,
		},
	}
}

// changeSchema returns the schema of a change, as [core.Line] writes it.
func changeSchema() object {
	text := object{"type": "string"}
	return object{
		"type":     "object",
		"required": []string{"seq", "app_name", "uuid", "status", "provider", "commit"},
		"properties": object{
			"seq": ref("Seq"), "id": object{"type": "string", "description": "the URL of the entry"}, "app_name": text, "uuid": text,
			"status": object{"type": "string", "enum": core.Statuses}, "provider": text, "commit": text,
			"step":  object{"type": "object", "properties": object{"name": text, "state": text}},
			"error": text, "reason": text, "url": text, "doc": ref("Entry"),
			"answer": object{
				"type": "object", "description": "of one entry: what the sender of its delivery was answered",
				"properties": object{"status": object{"type": "integer"}, "header": object{"type": "array", "items": text}, "body": object{"type": "object"}},
			},
		},
	}
}

// codes returns the codes of the API's errors, in order. A code of the platform may
// come with an entry only.
func codes() []core.Code {
	return slices.Sorted(func(yield func(core.Code) bool) {
		for code := range statuses {
			if !yield(code) {
				return
			}
		}
	})
}

// errorCodes returns the status, the sentence and the remedy of each code.
func errorCodes() object {
	all := object{}
	for _, code := range codes() {
		all[string(code)] = object{"status": statusOf(code), "reason": core.Reason(code), "remedy": core.Remedy(code)}
	}
	return all
}

func ref(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }

func jsonOf(schema object) object { return object{typeJSON: object{"schema": schema}} }
