package travis_test

import (
	"fmt"
	"net/textproto"
	"net/url"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/travis"
)

func ExampleProvider() {
	header := textproto.MIMEHeader{}
	header.Set("Travis-Repo-Slug", "indexzero/hello.js")
	payload := `{
		"number": "42", "type": "push", "state": "passed", "branch": "main",
		"commit": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
		"repository": {"owner_name": "indexzero", "name": "hello.js"}
	}`
	delivery, err := core.NewDelivery(header, []byte("payload="+url.QueryEscape(payload)))
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := travis.Provider{}.Parse(delivery)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Kind, event.Repository.Slug(), event.Branch, event.Build.Number, event.Build.State)
	// Output: build indexzero/hello.js main 42 passed
}

func ExampleProvider_Verify() {
	header := textproto.MIMEHeader{}
	header.Set("Signature", "c2lnbmF0dXJl")
	delivery := core.Delivery{Header: header, Payload: []byte(`{}`)}
	fmt.Println(travis.Provider{}.Verify(delivery, nil)) // no public key is known
	// Output: unchecked -1
}

func ExampleParseConfig() {
	config, err := travis.ParseConfig([]byte(`
language: node_js
branches:
  only: [main]
notifications:
  webhooks:
    urls: [https://webhooks.example.com/1/deploy]
    on_failure: never
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(config.Notifies("main"))
	fmt.Println(config.Notifies("wip"))
	// Output:
	// true .travis.yml declares a webhook for builds that pass
	// false .travis.yml excludes the branch "wip" from builds
}
