package gitlab_test

import (
	"fmt"
	"net/textproto"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/gitlab"
)

func ExampleProvider() {
	header := textproto.MIMEHeader{}
	header.Set("X-Gitlab-Event", "Push Hook")
	header.Set("X-Gitlab-Token", "secret")
	body := []byte(`{
		"object_kind": "push",
		"ref": "refs/heads/main",
		"after": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
		"checkout_sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
		"project": {"path_with_namespace": "acme/web/hello", "web_url": "https://gitlab.com/acme/web/hello", "default_branch": "main"},
		"commits": [{"id": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "message": "Say hello"}]
	}`)
	delivery, err := core.NewDelivery(header, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(gitlab.Provider{}.Verify(delivery, []core.Secret{core.NewSecret("secret")}))
	event, err := gitlab.Provider{}.Parse(delivery)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Kind, event.Repository.Forge, event.Repository.Slug(), event.Branch, event.Commit.ID[:7], event.Commit.Message)
	// Output:
	// valid 0
	// push gitlab.com acme/web/hello main 6dcb09b Say hello
}

func ExampleProvider_Parse_pipeline() {
	delivery, err := core.NewDelivery(nil, []byte(`{
		"object_kind": "pipeline",
		"object_attributes": {"id": 31, "iid": 3, "ref": "main", "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "source": "push", "status": "success"},
		"project": {"path_with_namespace": "acme/hello", "web_url": "https://gitlab.com/acme/hello"}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := gitlab.Provider{}.Parse(delivery)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Kind, event.Name, event.Build.Number, event.Build.Type, event.Build.State, event.Commit.ID[:7])
	// Output: build pipeline 3 push passed 6dcb09b
}
