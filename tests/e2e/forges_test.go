package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// Deliveries of each kind of sender are recognized. Those of a forge that the server
// does not deploy from are refused with a sentence that names it, and so are those of
// another GitHub server.
func TestDeliveriesFromOtherForges(t *testing.T) {
	t.Parallel()
	s := serve(t)
	commit := strings.Repeat("a", 40)
	gitea := object{
		"ref": "refs/heads/main", "after": commit,
		"repository": object{"name": "hello", "owner": object{"login": "dscape"}, "html_url": "https://git.example.com:3000/dscape/hello"},
	}
	for name, c := range map[string]struct {
		header map[string]string
		body   object
		forge  string
	}{
		"GitLab": {
			map[string]string{"X-Gitlab-Event": "Push Hook"},
			object{"object_kind": "push", "ref": "refs/heads/main", "after": commit, "project": object{
				"path_with_namespace": "group/sub/hello", "web_url": "https://gitlab.example.com/group/sub/hello",
			}},
			"group/sub/hello is on gitlab.example.com,",
		},
		"Gitea":   {map[string]string{"X-Gitea-Event": "push", "X-Gogs-Event": "push", "X-GitHub-Event": "push"}, gitea, "dscape/hello is on git.example.com:3000,"},
		"Forgejo": {map[string]string{"X-Forgejo-Event": "push", "X-GitHub-Event": "push"}, gitea, "dscape/hello is on git.example.com:3000,"},
		"Bitbucket": {
			map[string]string{"X-Event-Key": "repo:push"},
			object{
				"push":       object{"changes": []object{{"new": object{"type": "branch", "name": "main", "target": object{"hash": commit}}}}},
				"repository": object{"full_name": "dscape/hello"},
			},
			"dscape/hello is on bitbucket.org,",
		},
		"Bitbucket Data Center": {
			map[string]string{"X-Event-Key": "repo:refs_changed"},
			object{
				"eventKey": "repo:refs_changed", "repository": object{"slug": "hello", "project": object{"key": "WEB"}},
				"changes": []object{{"ref": object{"id": "refs/heads/main"}, "toHash": commit}},
			},
			"does not say which one has the repository WEB/hello",
		},
		"another GitHub server": {
			map[string]string{"X-GitHub-Event": "push"},
			push(object{"repository": object{"name": "hello", "owner": object{"login": "dscape"}, "html_url": "https://ghe.example.com/dscape/hello"}}),
			"dscape/hello is on ghe.example.com,",
		},
	} {
		got := s.send(request{path: "/1/deploy", header: c.header, body: text(t, c.body)})
		got.wants(t, name, "", "deploy:forge:not_configured")
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, c.forge) {
			t.Errorf("%s: got %d %s, want %q", name, got.status, got.body, c.forge)
		}
	}
}
