package bitbucket_test

import (
	"fmt"
	"net/textproto"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/bitbucket"
)

func ExampleProvider() {
	header := textproto.MIMEHeader{}
	header.Set("X-Event-Key", "repo:push")
	body := []byte(`{
		"push": {"changes": [
			{"new": {"type": "branch", "name": "main", "target": {"hash": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "message": "Say hello"}}},
			{"new": {"type": "tag", "name": "v1.0.0", "target": {"hash": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "message": "Say hello"}}}
		]},
		"repository": {"full_name": "acme/hello"}
	}`)
	delivery, err := core.NewDelivery(header, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := bitbucket.Provider{}.Parse(delivery)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range append([]core.Event{event}, event.Others...) {
		fmt.Println(e.Kind, e.Repository.Forge, e.Repository.Slug(), e.Ref, e.Commit.ID[:7], e.Commit.Message)
	}
	// Output:
	// push bitbucket.org acme/hello refs/heads/main 6dcb09b Say hello
	// push bitbucket.org acme/hello refs/tags/v1.0.0 6dcb09b Say hello
}
