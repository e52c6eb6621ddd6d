package providers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A program of its own module that imports one provider, and nothing else of
// this project, builds and runs; and all it depends on is named here.
func TestAProviderIsUsedAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		provider, payload, want string
		modules                 []string // besides core and providers
	}{
		{
			"github",
			`{"ref":"refs/heads/main","after":"6dcb09b5b57875f334f61aebed695e2e4193db5e","repository":{"name":"n","owner":{"login":"o"}},"commits":[]}`,
			"github push o/n main", nil,
		},
		{
			"gitlab",
			`{"object_kind":"push","ref":"refs/heads/main","after":"6dcb09b5b57875f334f61aebed695e2e4193db5e","project":{"path_with_namespace":"o/n"}}`,
			"gitlab push o/n main", nil,
		},
		{
			"gitea",
			`{"ref":"refs/heads/main","after":"6dcb09b5b57875f334f61aebed695e2e4193db5e","compare_url":"/","repository":{"name":"n","owner":{"login":"o"}}}`,
			"gitea push o/n main", nil,
		},
		{
			"bitbucket",
			`{"push":{"changes":[{"new":{"type":"branch","name":"main","target":{"hash":"6dcb09b5b57875f334f61aebed695e2e4193db5e"}}}]},"repository":{"full_name":"o/n"}}`,
			"bitbucket push o/n main", nil,
		},
		{
			"travis",
			`{"number":"1","state":"passed","branch":"main","commit":"6dcb09b5b57875f334f61aebed695e2e4193db5e","repository":{"name":"n","owner_name":"o"}}`,
			"travis build o/n main",
			[]string{"go.yaml.in/yaml/v3"},
		},
	} {
		t.Run(c.provider, func(t *testing.T) {
			t.Parallel()
			dir := consumer(t, c.provider)
			if got := run(t, dir, "run", ".", c.payload); got != c.want {
				t.Errorf("the program says %q, want %q", got, c.want)
			}
			want := append([]string{"example.com/consumer", "github.com/nodejitsu/webhooks/core", "github.com/nodejitsu/webhooks/providers"}, c.modules...)
			listed := run(t, dir, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
			got := strings.Fields(listed)
			slices.Sort(got)
			slices.Sort(want)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("it depends on %v, want %v", got, want)
			}
			for _, pkg := range []string{"net/http", "testing", "github.com/nodejitsu/webhooks/core/deploy"} {
				if slices.Contains(strings.Fields(run(t, dir, "list", "-deps", ".")), pkg) {
					t.Errorf("it depends on package %s", pkg)
				}
			}
		})
	}
}

// consumer writes a module with a program that reads its argument as a
// delivery of provider, and returns its folder.
func consumer(t *testing.T, provider string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "main.go", strings.ReplaceAll(`package main

import (
	"fmt"
	"os"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/PROVIDER"
)

func main() {
	delivery, err := core.NewDelivery(nil, []byte(os.Args[1]))
	if err != nil {
		panic(err)
	}
	event, err := PROVIDER.Provider{}.Parse(delivery)
	if err != nil || !(PROVIDER.Provider{}).Resembles(delivery) {
		panic(err)
	}
	fmt.Print(event.Provider, " ", event.Kind, " ", event.Repository.Slug(), " ", event.Branch)
}
`, "PROVIDER", provider))
	write(t, dir, "go.mod", `module example.com/consumer

go 1.26.8

require (
	github.com/nodejitsu/webhooks/core v0.1.0
	github.com/nodejitsu/webhooks/providers v0.1.0
)

replace (
	github.com/nodejitsu/webhooks/core => `+filepath.Join(here, "..", "core")+`
	github.com/nodejitsu/webhooks/providers => `+here+`
)
`)
	sums, err := os.ReadFile("go.sum") // so that nothing has to be looked up
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "go.sum", string(sums))
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the go command in a module that is in no workspace and returns what
// it prints.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...) //nolint:gosec // the arguments are the test's own
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
