package senders

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The programs of providers/README.md compile: the receiver of any sender, and the
// program that is moved from go-playground/webhooks, before and after.
func TestProgramsOfTheReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "providers", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, found[1])
	}
	if len(blocks) != 4 {
		t.Fatalf("found %d programs; want the receiver, before, after, and another event", len(blocks))
	}
	_, receiver, _ := strings.Cut(blocks[0], "\n)\n") // behind the imports
	if lines := strings.Count(strings.TrimSpace(receiver), "\n") + 1; lines > 15 {
		t.Errorf("the receiver of any sender has %d lines, want at most 15", lines)
	}
	const serve = "\nlog.Fatal(http.ListenAndServe(\":3000\", nil))\n}\n"
	before := `package main
import (
	"log"
	"net/http"
	"os"

	"github.com/go-playground/webhooks/v6/github"
)
func main() {
` + blocks[1] + serve
	handler, end, found := strings.Cut(blocks[2], "\n})\n")
	if !found || end != "" {
		t.Fatalf("the program after the move does not end in its handler: %q", end)
	}
	after := `package main
import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/github"
	"github.com/nodejitsu/webhooks/providers/receive"
)
func main() {
` + handler + "\n" + blocks[3] + "\n})\n" + serve
	for name, program := range map[string]string{"any": blocks[0], "before": before, "after": after} {
		file := filepath.Join(t.TempDir(), name+".go")
		if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("the program %q: %v\n%s", name, err, out)
		}
	}
}
