package httpapi_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// The document is served, with the address that the client used.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := serve(newAPI(t, nil), request(t, "GET", "/openapi.json", "", "Host: hooks.example.com"))
	var document struct {
		OpenAPI string                               `json:"openapi"`
		Servers []struct{ URL string }               `json:"servers"`
		Paths   map[string]map[string]map[string]any `json:"paths"`
		Codes   map[string]struct {
			Status int    `json:"status"`
			Reason string `json:"reason"`
		} `json:"x-error-codes"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || w.Code != 200 {
		t.Fatalf("%d, %v", w.Code, err)
	}
	if document.OpenAPI != "3.1.0" || len(document.Servers) != 1 || document.Servers[0].URL != "http://hooks.example.com" {
		t.Errorf("got %s of %v", document.OpenAPI, document.Servers)
	}
	if code := document.Codes["deploy:no_payload"]; code.Status != 400 || code.Reason == "" {
		t.Errorf("deploy:no_payload: %+v", code)
	}
	if _, ok := document.Paths["/1/status/{user}/changes/{id}"]["get"]["responses"]; !ok {
		t.Errorf("the paths are %v", slices.Sorted(maps.Keys(document.Paths)))
	}
}
