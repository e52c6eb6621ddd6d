package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const webhooks = "github.com/nodejitsu/webhooks/"

// An arrow lists what the packages of a folder may import.
type arrow struct {
	from string   // a folder: the arrow is for the packages in and below it
	to   []string // prefixes of import paths, of ours without "github.com/nodejitsu/webhooks/"
	why  string   // the reason, shown if something else is imported
}

// arrows returns every arrow of the design. The standard library is always
// allowed, and so is a package of the same folder. If folders nest, the
// innermost one counts.
func arrows() []arrow {
	return []arrow{
		{"core", nil, "the domain depends on nothing, so that it outlives every library"},
		{"providers/github", []string{"core", "providers/internal"}, "another tool imports a provider and gets core and the standard library, nothing more"},
		{"providers/bitbucket", []string{"core", "providers/internal"}, "another tool imports a provider and gets core and the standard library, nothing more"},
		{"providers/gitlab", []string{"core", "providers/internal"}, "another tool imports a provider and gets core and the standard library, nothing more"},
		{"providers/gitea", []string{"core", "providers/internal"}, "another tool imports a provider and gets core and the standard library, nothing more"},
		{"providers/travis", []string{"core", "providers/internal", "go.yaml.in/yaml/v3"}, "another tool imports a provider and gets core and the standard library, nothing more than a YAML parser"},
		{"providers/receive", []string{"core"}, "a program receives the webhooks of one sender without the other providers"},
		{"providers", []string{"core", "providers"}, "providers have no network and no state"},
		{"adapters/bolt", []string{"core", "adapters/internal", "go.etcd.io/bbolt"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/github", []string{"core", "adapters/internal", "github.com/google/go-github/v60"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/gitlab", []string{"core", "adapters/internal"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/gitea", []string{"core", "adapters/internal"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/bitbucket", []string{"core", "adapters/internal"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/internal/forgehttp", []string{"core", "adapters/internal", "github.com/sony/gobreaker/v2"}, "how the adapters of forges send requests, with one library"},
		{"adapters/redis", []string{"core", "adapters/internal", "github.com/redis/go-redis/v9", "github.com/klauspost/compress"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/smtp", []string{"core", "github.com/wneessen/go-mail"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/outgoing", []string{"core", "adapters/internal"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/chat", []string{"core", "adapters/internal"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/travis", []string{"core", "adapters/internal"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/metrics", []string{"core", "github.com/prometheus/client_golang"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/traces", []string{"core", "go.opentelemetry.io/otel"}, "an adapter knows core and its own library, never another adapter"},
		{"adapters/internal", []string{"core"}, "what adapters share must not bring a library into all of them"},
		{"adapters", nil, "other packages need nothing, and each adapter has an arrow of its own, so that no program gets the library of another one"},
		{"deployer/nodejitsu", []string{"core", "github.com/klauspost/compress", "github.com/sony/gobreaker/v2"}, "the client reaches every platform over HTTP, the embedded one too"},
		{"deployer/platform", []string{"core", "httpapi/serve", "github.com/coder/websocket", "go.etcd.io/bbolt", "github.com/alexedwards/argon2id", "github.com/klauspost/compress", "golang.org/x/"}, "the platform knows only the types of core, and its listeners are made of httpapi/serve, which brings no library"},
		{"deployer/platform/kubernetes", []string{"core", "deployer/platform", "k8s.io/", "github.com/google/go-containerregistry", "github.com/klauspost/compress"}, "the one package that speaks to clusters and registries: its libraries must not come with the platform, but only with the program that chooses it"},
		{"deployer", nil, "other packages need nothing; an import here would come with both client and platform"},
		{"httpapi", []string{"core", "github.com/gin-gonic/gin", "golang.org/x/"}, "HTTP maps to use cases; it does not depend on the adapters behind them"},
		{"httpapi/docs", []string{"httpapi/serve", "github.com/yuin/goldmark"}, "the documentation is rendered from its Markdown"},
		{"httpapi/serve", nil, "the platform uses it too, so it must not bring a library, nor anything of the API"},
		{"tests", []string{"core", "providers", "adapters", "deployer", "httpapi"}, "tests drive the built program from outside"},
		{"tests/cluster", []string{"core", "providers", "adapters", "deployer", "httpapi", "github.com/google/go-containerregistry", "github.com/miekg/dns"}, "tests drive the built program from outside, with a registry and a DNS of their own"},
		{"tools/release", []string{"golang.org/x/mod"}, "the release tool must build while the modules it releases are broken"},
		{"tools/bench", []string{"github.com/gin-gonic/gin", "github.com/redis/go-redis/v9", "go.etcd.io/bbolt", "golang.org/x/sys"}, "the floors use the libraries of what they are compared with, and nothing of ours"},
		{"tools/bench/idle", []string{"core", "deployer", "httpapi/serve", "go.etcd.io/bbolt"}, "it assembles the platform with a runner of its own"},
		{"tools/webhooks", []string{"core", "providers", "adapters", "deployer", "httpapi", "github.com/", "go.uber.org/", "golang.org/x/", "go.yaml.in/"}, "the program is the one place that knows every module"},
		{"httpapi/client", []string{"core"}, "another program imports the client and gets core and the standard library, nothing more"},
		{"tools/demo", []string{"core", "httpapi/client", "tools/githubsim"}, "the demo drives the built program from outside, through the API"},
		{"tools", []string{"core", "providers", "github.com/", "golang.org/x/"}, "a development program is not the composition root"},
	}
}

// A listed package is the output of go list for a package.
type listed struct {
	ImportPath, Name                   string
	Standard, DepOnly                  bool
	Imports, TestImports, XTestImports []string
}

func (p listed) folder() string { return strings.TrimPrefix(p.ImportPath, webhooks) }

func TestImportsFollowTheArrows(t *testing.T) {
	t.Parallel()
	for _, dir := range moduleDirs(t) {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			ours := 0
			for _, p := range list(t, dir, "./...") {
				if p.Standard || p.DepOnly {
					continue
				}
				ours++
				a, found := arrowFrom(p.folder())
				if !found {
					t.Errorf("no arrow begins at %s: add it to the table, with its reason", p.folder())
					continue
				}
				for _, imported := range p.Imports {
					if !a.allows(imported) {
						t.Errorf("%s imports %s: %s", p.folder(), imported, a.why)
					}
				}
			}
			if ours == 0 && dir != "tests" {
				t.Errorf("no packages found in %s", dir)
			}
		})
	}
}

// The go.mod of a module also lists the requirements of its tests, and they become
// requirements of every module that requires it. So tests follow the arrows between
// our modules; those of core and providers use no other modules at all.
func TestImportsOfTestsFollowTheArrows(t *testing.T) {
	t.Parallel()
	for _, dir := range moduleDirs(t) {
		if dir == "tests" || dir == "tools" {
			continue // they may import all modules
		}
		for _, p := range list(t, dir, "./...") {
			if p.Standard || p.DepOnly {
				continue
			}
			a, _ := arrowFrom(p.folder())
			for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
				folder, own := strings.CutPrefix(imported, webhooks)
				beside := own && below(folder, dir) && dir != "adapters"
				checked := own || dir == "core" || dir == "providers"
				if checked && !beside && !a.allows(imported) {
					t.Errorf("a test of %s imports %s: %s; what crosses modules is tested in tests", p.folder(), imported, a.why)
				}
			}
		}
	}
}

// The rule for the two inner modules applies to everything that they link, not only
// to their own imports.
func TestInnerModulesBringNothingAlong(t *testing.T) {
	t.Parallel()
	for pattern, allowed := range map[string][]string{
		"core/...":                {webhooks + "core"},
		"providers/":              {webhooks + "core", webhooks + "providers"},
		"providers/receive/...":   {webhooks + "core", webhooks + "providers/receive"},
		"providers/github/...":    {webhooks + "core", webhooks + "providers/github", webhooks + "providers/internal"},
		"providers/gitlab/...":    {webhooks + "core", webhooks + "providers/gitlab", webhooks + "providers/internal"},
		"providers/gitea/...":     {webhooks + "core", webhooks + "providers/gitea", webhooks + "providers/internal"},
		"providers/bitbucket/...": {webhooks + "core", webhooks + "providers/bitbucket", webhooks + "providers/internal"},
		"providers/travis/...":    {webhooks + "core", webhooks + "providers/travis", webhooks + "providers/internal", "go.yaml.in/yaml/v3"},
		"httpapi/client/...":      {webhooks + "core", webhooks + "httpapi/client"},
	} {
		dir, rest, _ := strings.Cut(pattern, "/")
		for _, p := range list(t, dir, "./"+rest) {
			if !p.Standard && !slices.ContainsFunc(allowed, func(prefix string) bool { return below(p.ImportPath, prefix) }) {
				t.Errorf("%s links %s: allowed are the standard library and %v", pattern, p.ImportPath, allowed)
			}
		}
	}
}

// The rules above hold for this tree; this test shows that they find violations.
func TestArrowsForbid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, imported string
		allowed        bool
	}{
		{"core/deploy", "net/http", true},
		{"core/deploy", webhooks + "core", true},
		{"core/deploy", webhooks + "providers/github", false},
		{"core", "go.yaml.in/yaml/v3", false},
		{"core", "golang.org/x/sync/errgroup", false},
		{"providers/github", webhooks + "core", true},
		{"providers/github", webhooks + "providers/travis", false},
		{"providers/github", "go.yaml.in/yaml/v3", false},
		{"providers/travis", "go.yaml.in/yaml/v3", true},
		{"adapters/bolt", webhooks + "core/status", true},
		{"adapters/bolt", webhooks + "adapters/github", false},
		{"adapters/bolt", "github.com/google/go-github/v60/github", false},
		{"adapters/github", "github.com/google/go-github/v60/github", true},
		{"adapters/github", "github.com/google/go-github/v61/github", false},
		{"deployer/nodejitsu", webhooks + "deployer/platform", false},
		{"deployer/platform/router", webhooks + "deployer/nodejitsu", false},
		{"deployer/platform", webhooks + "adapters/bolt", false},
		{"httpapi", webhooks + "adapters/bolt", false},
		{"httpapi", webhooks + "corelike", false},
		{"tests", webhooks + "tools/githubsim", false},
		{"tools/githubsim", webhooks + "adapters/github", false},
		{"tools/release", webhooks + "core", false},
		{"tools/webhooks/internal/app", webhooks + "adapters/bolt", true},
		{"tools/webhooks/internal/app", webhooks + "tools/release", false},
		{"tools/webhooks/internal/cli", webhooks + "tools/githubsim/sim", false},
		{"tools/demo", webhooks + "adapters/bolt", false},
		{"httpapi/client", webhooks + "httpapi", false},
		{"httpapi/client", "github.com/gin-gonic/gin", false},
	}
	for _, test := range tests {
		a, found := arrowFrom(test.from)
		if !found || a.allows(test.imported) != test.allowed {
			t.Errorf("%s imports %s: got allowed %t, want %t", test.from, test.imported, !test.allowed, test.allowed)
		}
	}
	if a, found := arrowFrom("billing"); found {
		t.Errorf("an unknown module got the arrow of %q", a.from)
	}
}

// A test helper, or the stand-in for GitHub, that is imported by mistake would be
// linked into the program, with its flags and its size.
func TestProgramHasNoTestHelpers(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "tools", "./webhooks") {
		name := path.Base(p.ImportPath)
		switch {
		case p.ImportPath == "testing" || strings.HasPrefix(p.ImportPath, "testing/"),
			strings.HasPrefix(p.ImportPath, "github.com/stretchr/"),
			!p.Standard && strings.HasSuffix(name, "test") && name != "latest", strings.HasPrefix(p.ImportPath, webhooks+"tools/githubsim"):
			t.Errorf("tools/webhooks links %s, which is for tests", p.ImportPath)
		}
	}
}

// A package with a name such as util collects unrelated code.
func TestPackagesAreNamedForWhatTheyHold(t *testing.T) {
	t.Parallel()
	empty := []string{"util", "utils", "common", "model", "models", "helper", "helpers", "misc", "shared", "types", "base", "lib"}
	for _, dir := range moduleDirs(t) {
		for _, p := range list(t, dir, "./...") {
			if p.Standard || p.DepOnly {
				continue
			}
			if slices.Contains(empty, p.Name) || slices.Contains(empty, path.Base(p.ImportPath)) {
				t.Errorf("package %s in %s: name it for its purpose", p.Name, p.folder())
			}
		}
	}
}

// Packages in an internal folder of the root could be imported by all modules, which
// would tie their versions together.
func TestRootHoldsNoPackages(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join("..", "internal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a folder internal in the root (%v): move it into a module", err)
	}
	files, err := filepath.Glob(filepath.Join("..", "*.go"))
	if err != nil || len(files) != 0 {
		t.Errorf("Go files in the root: %v (%v)", files, err)
	}
}

// arrowFrom returns the arrow of the innermost folder that contains folder.
func arrowFrom(folder string) (arrow, bool) {
	best, found := arrow{}, false
	for _, a := range arrows() {
		if below(folder, a.from) && len(a.from) >= len(best.from) {
			best, found = a, true
		}
	}
	return best, found
}

func (a arrow) allows(imported string) bool {
	folder, own := strings.CutPrefix(imported, webhooks)
	if !own && !strings.Contains(strings.Split(imported, "/")[0], ".") {
		return true // the standard library
	}
	if own && below(folder, a.from) {
		return true
	}
	return slices.ContainsFunc(a.to, func(prefix string) bool { return below(folder, prefix) })
}

// below reports whether folder is prefix or is below it. A prefix that ends in a
// slash matches only what is below it.
func below(folder, prefix string) bool {
	return folder == prefix || strings.HasPrefix(folder, strings.TrimSuffix(prefix, "/")+"/")
}

// moduleDirs returns the folders of all modules in go.work.
func moduleDirs(t *testing.T) []string {
	t.Helper()
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal(goCommand(t, "..", "work", "edit", "-json"), &work); err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, use := range work.Use {
		dirs = append(dirs, path.Clean(use.DiskPath))
	}
	if len(dirs) != 7 {
		t.Fatalf("go.work uses %v, want seven modules", dirs)
	}
	return dirs
}

// list returns the packages that match a pattern in a module, and everything
// that they import, as they are built into the program.
func list(t *testing.T, dir, pattern string) []listed {
	t.Helper()
	out := goCommand(t, filepath.Join("..", dir), "list", "-deps", "-test=false", "-tags=nomsgpack",
		"-json=ImportPath,Name,Standard,DepOnly,Imports,TestImports,XTestImports", pattern)
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func goCommand(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("in %s: go %s: %v\n%s", dir, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
