package github_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core"
)

func ExampleClient_File() {
	// A fake of api.github.com.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"name":"hello"}`)
	}))
	defer server.Close()

	client, err := github.New(github.Options{BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	repository := core.Repository{Owner: "octo", Name: "hello"}
	text, err := client.File(context.Background(), repository, "96410ed970f6224a4cd3c450150c5d65bbc77fcd", "package.json", core.Secret{})
	fmt.Println(string(text), err)
	// Output: {"name":"hello"} <nil>
}
