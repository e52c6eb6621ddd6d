package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The two sample payloads of 2012, unchanged, in each way that they can be sent.
func TestSamplesOf2012(t *testing.T) {
	t.Parallel()
	h := github(t)
	for _, name := range []string{"github-2012.json", "travis-2012.json"} {
		s := serve(t, h.flags()...) // its own, as the second would find the push of the first
		body := sample(t, name)
		stripped := strings.NewReplacer("\r", "", "\n", "").Replace(body)
		for way, r := range map[string]request{
			"JSON":     {body: body},
			"curl":     {body: stripped, header: formType}, // curl -d @file
			"form":     {body: form(body), header: formType},
			"old hook": {body: url.Values{"payload": {body}, "email_success": {"1"}, "email_errors": {"1"}}.Encode(), header: formType},
			"no type":  {body: body, header: map[string]string{"Content-Type": "text/plain"}},
		} {
			r.path = "/1/deploy"
			// The repository is not there any more, so the outcome is known:
			// it can't be read.
			got := s.send(r)
			if got.status != http.StatusBadGateway || got.json(t)["error"] != "deploy:github:no_pkg_json" {
				t.Errorf("%s as %s: got %d %s", name, way, got.status, got.body)
			}
			id, _ := got.json(t)["id"].(string)
			entry := s.send(request{path: strings.TrimPrefix(id, s.api)}).json(t)
			if want := "dscape/hello-world-flatiron-api/abcda798007da3eefe5ea96715366e327ae1af91"; entry["commit"] != want {
				t.Errorf("%s as %s: got commit %v", name, way, entry["commit"])
			}
		}
	}
}
