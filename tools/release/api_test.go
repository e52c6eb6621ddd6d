package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const apiSource = `package receive

import "net/http"

type (
	Provider interface {
		Parse(d []byte, strict bool) (event string, err error)
		Name() string
	}
	Receiver struct {
		*http.Server
		Senders, Others []string
		hidden int
	}
	Kind   string
	Header = http.Header
	hidden struct{ Field int }
)

const (
	Push Kind = "push"
	Limit = 1 << 10
	small = 1
)

var Default *Receiver

func New(p Provider, keys ...string) *Receiver { return nil }
func (r *Receiver) Receive(w http.ResponseWriter, f func(string) error) (int, error) { return 0, nil }
func (hidden) Method() {}
func internal() {}
`

const apiWant = `receive.Default var *Receiver
receive.Header type = http.Header
receive.Kind type string
receive.Limit const = 1 << 10
receive.New func(Provider, ...string) (*Receiver)
receive.Provider type interface { Name() (string); Parse([]byte, bool) (string, error) }
receive.Push const Kind = "push"
receive.Receiver type struct
receive.Receiver.Others field []string
receive.Receiver.Receive method (*Receiver)(http.ResponseWriter, func(string) error) (int, error)
receive.Receiver.Senders field []string
receive.Receiver.Server embedded *http.Server
`

// The list has what programs can use, and release check fails if one of it vanishes or
// changes without an entry in the changelog.
func TestAPI(t *testing.T) {
	t.Parallel()
	files := sample()
	files["providers/receive/receive.go"] = apiSource
	files["providers/receive/receive_test.go"] = "package receive\n\nfunc Tested() {}\n"
	files["providers/internal/field/field.go"] = "package field\n\nfunc Field() {}\n"
	root := write(t, files)
	if code, _, stderr := release(t, "-C", root, "set", "v0.1.0"); code != 0 {
		t.Fatal(stderr)
	}
	if got := read(t, filepath.Join(root, "providers", apiFile)); got != apiWant {
		t.Errorf("got\n%s", got)
	}
	source := filepath.Join(root, "providers/receive/receive.go")
	for name, test := range map[string]struct{ old, new, changed string }{
		"unchanged":    {"", "", ""},
		"unexported":   {"func internal() {}", "", ""},
		"added":        {"func internal", "func Added", ""},
		"renamed":      {"keys ...string", "secrets ...string", ""},
		"new field":    {"hidden int", "hidden int; More int", ""},
		"new method":   {"		Name() string", "		Name() string; Verify() bool", "receive.Provider"},
		"function":     {"keys ...string", "keys []string", "receive.New"},
		"field":        {"Senders, Others []string", "Senders []string", "receive.Receiver.Others"},
		"value":        {`Kind = "push"`, `Kind = "PUSH"`, "receive.Push"},
		"method":       {"(r *Receiver) Receive(", "(r *Receiver) Read(", "receive.Receiver.Receive"},
		"type of Kind": {"Kind   string", "Kind   int", "receive.Kind"},
	} {
		if err := os.WriteFile(source, []byte(strings.Replace(apiSource, test.old, test.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := release(t, "-C", root, "check")
		if (code != 0) != (test.changed != "") || test.changed != "" && !strings.Contains(stderr, "`"+test.changed+"`") {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
	if err := os.Remove(source); err != nil {
		t.Fatal(err)
	}
	changelog := filepath.Join(root, "CHANGELOG.md")
	text := strings.Replace(read(t, changelog), "- A greeting.", "- The package `receive` is gone.", 1)
	if err := os.WriteFile(changelog, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := release(t, "-C", root, "check"); code != 0 {
		t.Errorf("after an entry in the changelog: %s", stderr)
	}
	if err := os.Remove(filepath.Join(root, "core", apiFile)); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := release(t, "-C", root, "check"); code != 1 || !strings.Contains(stderr, "release set v0.1.0") {
		t.Errorf("without a list: exit code %d, %s", code, stderr)
	}
}
