package github_test

import (
	"fmt"
	"net/textproto"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/github"
)

func ExampleProvider() {
	header := textproto.MIMEHeader{}
	header.Set("X-GitHub-Event", "push")
	body := []byte(`{
		"ref": "refs/heads/main",
		"after": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
		"head_commit": {"message": "Say hello"},
		"repository": {"name": "hello.js", "owner": {"login": "indexzero"}, "default_branch": "main"}
	}`)
	delivery, err := core.NewDelivery(header, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := github.Provider{}.Parse(delivery)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Kind, event.Repository.Slug(), event.Branch, event.Commit.ID[:7], event.Commit.Message)
	// Output: push indexzero/hello.js main 6dcb09b Say hello
}

func ExampleProvider_Verify() {
	header := textproto.MIMEHeader{}
	header.Set("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
	delivery := core.Delivery{Header: header, Body: []byte("Hello, World!")}
	fmt.Println(github.Provider{}.Verify(delivery, []core.Secret{core.NewSecret("It's a Secret to Everybody")}))
	fmt.Println(github.Provider{}.Verify(delivery, []core.Secret{core.NewSecret("another")}))
	// Output:
	// valid 0
	// invalid -1
}
