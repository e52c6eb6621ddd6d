package project_test

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// A dependency that is a folder of the repository has to be there.
func TestCheckLocal(t *testing.T) {
	t.Parallel()
	for version, there := range map[string]bool{
		"file:lib": true, "file:./lib": true, "link:lib": true, "./lib": true, "file:../shared": true, "file:": true, "file:lib.tgz": true, "portal:lib": true,
		"^1.0.0": true, "github:a/b": true, "a/b": true, "workspace:*": true, "npm:other@1": true, "https://example.com/x.tgz": true,
		"file:missing": false, "file:../missing": false, "../../out": false, "link:../../../out": false, "file:/usr": false, "/usr": false, "file:///usr": false, "~/lib": false,
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir := files{
				"app/package.json":     `{"dependencies":{"lib":"` + version + `","other":"1"},"devDependencies":{"x":"file:missing"},"optionalDependencies":{"y":"file:missing"}}`,
				"app/lib/package.json": `{}`, "app/lib.tgz": "x", "shared/package.json": `{}`,
			}.write(t)
			p, err := project.Read(dir, "app")
			if err != nil {
				t.Fatal(err)
			}
			err = p.CheckLocal(dir)
			if there && err != nil || !there && (core.CodeOf(err) != core.CodePlatformBuildFailed || !strings.Contains(err.Error(), `the dependency lib is "`+version+`"`)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// If main is all that says how to start, it has to be there.
func TestMissingMain(t *testing.T) {
	t.Parallel()
	for _, main := range []string{"lib/app.js", "-e"} {
		dir := files{"package.json": `{"main":"` + main + `"}`, "-e": ""}.write(t)
		p, err := project.Read(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Start(dir); core.CodeOf(err) != core.CodePlatformBuildFailed || !strings.Contains(err.Error(), `main in package.json is "`+main+`"`) {
			t.Errorf("got %v", err)
		}
	}
}
