package nodejitsu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// Upload a snapshot, watch its build, and start it.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(play)) // or any platform
	defer server.Close()

	client := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return server.URL },
		Username: "maciej",
		Password: func() core.Secret { return core.NewSecret("a password or an API token") },
	})
	defer client.Close()

	ctx := context.Background()
	tgz := strings.NewReader("package/package.json and the rest, packed")
	if err := client.UploadSnapshot(ctx, "maciej", "hello", "1.0.0-9f3c", "", tgz, os.Stdout); err != nil {
		fmt.Println(err)
		return
	}
	if err := client.ActivateSnapshot(ctx, "maciej", "hello", "1.0.0-9f3c"); err != nil {
		fmt.Println(err)
		return
	}
	app, err := client.StartApp(ctx, "maciej", "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(app.State, app.URL)

	_, err = client.App(ctx, "maciej", "goodbye")
	fmt.Println(err, errors.Is(err, core.ErrNotFound))
	// Output:
	// npm installed 2 packages
	// started http://hello.localhost:8080
	// nodejitsu: read app: There is no app of that name true
}

// play fakes a platform.
func play(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /apps/maciej/hello/snapshots/1.0.0-9f3c":
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "npm installed 2 packages\n")
	case "POST /apps/maciej/hello/snapshots/1.0.0-9f3c/activate":
		_, _ = io.WriteString(w, `{"app":{"state":"stopped"}}`)
	case "GET /endpoints":
		_, _ = io.WriteString(w, `{"endpoints":{}}`)
	case "POST /apps/maciej/hello/start":
		_, _ = io.WriteString(w, `{"app":{"state":"started","url":"http://hello.localhost:8080"}}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"not_found","message":"There is no app of that name"}`)
	}
}
