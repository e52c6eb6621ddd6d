package e2e

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"strings"
	"testing"
)

// object is a JSON object to be changed before it is sent.
type object = map[string]any

func text(t *testing.T, o any) string {
	t.Helper()
	encoded, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// push returns the payload of a push, with the fields that the program reads.
func push(changes object) object {
	payload := object{
		"ref": "refs/heads/main", "before": strings.Repeat("a", 40), "after": strings.Repeat("b", 40),
		"created": false, "deleted": false, "forced": false, "base_ref": nil,
		"repository": object{
			"name": "nothing-here", "full_name": "dscape/nothing-here", "default_branch": "main",
			"owner": object{"name": "dscape", "login": "dscape"},
		},
		"head_commit": object{"id": strings.Repeat("b", 40), "message": "change"},
		"commits":     []object{{"id": strings.Repeat("b", 40), "message": "change"}},
		"pusher":      object{"name": "dscape"},
	}
	maps.Copy(payload, changes)
	return payload
}

// build returns the payload of a report of Travis CI.
func build(changes object) object {
	payload := object{
		"id": 1, "number": "1", "type": "push", "state": "passed", "status": 0, "result": 0,
		"status_message": "Passed", "result_message": "Passed", "commit": strings.Repeat("c", 40), "branch": "master",
		"message": "change", "compare_url": "https://github.com/dscape/nothing-here/compare/a...b",
		"pull_request": false, "pull_request_number": nil, "tag": nil, "matrix": []any{}, "config": object{},
		"repository": object{"id": 1, "name": "nothing-here", "owner_name": "dscape", "url": nil},
	}
	maps.Copy(payload, changes)
	return payload
}

func form(payload string) string { return url.Values{"payload": {payload}}.Encode() }

// sample returns one of the two deliveries of 2012.
func sample(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func event(name string) map[string]string {
	return map[string]string{"X-GitHub-Event": name, "User-Agent": "GitHub-Hookshot/044aadd"}
}

var formType = map[string]string{"Content-Type": "application/x-www-form-urlencoded"} //nolint:gochecknoglobals // constant
