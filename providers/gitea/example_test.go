package gitea_test

import (
	"fmt"
	"net/textproto"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/gitea"
)

func ExampleProvider() {
	header := textproto.MIMEHeader{}
	header.Set("X-Gitea-Event", "push")
	header.Set("X-Gitea-Signature", "ac3b9a47e4fdd38d1f95f5bd81d9d22d6b16d50adbe7f2d61d4ab8ae7c7b2f6f")
	body := []byte(`{
		"ref": "refs/heads/main",
		"after": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
		"head_commit": {"id": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "message": "Say hello"},
		"repository": {"name": "hello", "owner": {"login": "acme"}, "html_url": "https://codeberg.org/acme/hello", "default_branch": "main"}
	}`)
	delivery, err := core.NewDelivery(header, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(gitea.Provider{}.Verify(delivery, []core.Secret{core.NewSecret("another secret")}))
	event, err := gitea.Provider{}.Parse(delivery)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Kind, event.Repository.Forge, event.Repository.Slug(), event.Branch, event.Commit.ID[:7], event.Commit.Message)
	// Output:
	// invalid -1
	// push codeberg.org acme/hello main 6dcb09b Say hello
}
