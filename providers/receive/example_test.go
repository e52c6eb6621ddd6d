package receive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/gitlab"
	"github.com/nodejitsu/webhooks/providers/receive"
)

// A handler that reads a field of the payload that events do not have.
func ExampleReceiver_Receive() {
	receiver := receive.New(gitlab.Provider{}, core.NewSecret("secret"))
	http.HandleFunc("POST /webhooks", func(w http.ResponseWriter, r *http.Request) {
		d, err := receiver.Receive(w, r)
		if err != nil {
			receive.Error(w, err)
			return
		}
		if d.Event.Kind != core.EventPush {
			return
		}
		var more struct {
			Username string `json:"user_username"`
		}
		if err := json.Unmarshal(d.Payload, &more); err != nil {
			receive.Error(w, err)
			return
		}
		fmt.Println(more.Username, "pushed to", d.Event.Branch)
	})

	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/webhooks", strings.NewReader(`{
		"object_kind": "push", "ref": "refs/heads/main", "after": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
		"project": {"path_with_namespace": "acme/hello"}, "user_username": "ada"
	}`))
	r.Header.Set("X-Gitlab-Event", "Push Hook")
	r.Header.Set("X-Gitlab-Token", "secret")
	http.DefaultServeMux.ServeHTTP(httptest.NewRecorder(), r)
	// Output: ada pushed to main
}
