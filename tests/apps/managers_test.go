package apps

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// typescript returns an app that a script builds, with the lockfile of a package
// manager, fields of package.json and more files.
func typescript(t *testing.T, lock, as string, fields map[string]any, more files) files {
	t.Helper()
	all := example(t, "typescript", nil)
	f := files{"src.ts": all["src.ts"], as: all["locks/"+lock]}
	pkg := map[string]any{}
	if err := json.Unmarshal([]byte(all["package.json"]), &pkg); err != nil {
		t.Fatal(err)
	}
	maps.Copy(pkg, fields)
	text, err := json.Marshal(pkg)
	if err != nil {
		t.Fatal(err)
	}
	f["package.json"] = string(text)
	maps.Copy(f, more)
	return f
}

// A TypeScript app is built by each package manager, in the version that it
// asks for, and keeps nothing that only its build needed.
func TestPackageManagers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files  files
		uses   string
		pruned string // of the output
	}{
		"npm":    {typescript(t, "package-lock.json", "package-lock.json", nil, nil), "Using npm ", "npm prune"},
		"yarn1":  {typescript(t, "yarn-1.lock", "yarn.lock", nil, nil), "Using yarn 1.22", "yarn install"},
		"pnp":    {typescript(t, "yarn-4.lock", "yarn.lock", nil, nil), "Using yarn 4.", "yarn workspaces focus"},
		"yarn4":  {typescript(t, "yarn-4.lock", "yarn.lock", nil, files{".yarnrc.yml": "nodeLinker: node-modules\n"}), "Using yarn 4.", "yarn workspaces focus"},
		"pnpm9":  {typescript(t, "pnpm-lock.yaml", "pnpm-lock.yaml", map[string]any{"packageManager": "pnpm@9.15.9"}, nil), "Using pnpm 9.15.9", "pnpm prune"},
		"pnpm10": {typescript(t, "pnpm-lock.yaml", "pnpm-lock.yaml", nil, nil), "Using pnpm 10.", "pnpm prune"},
		"pnpm12": {typescript(t, "pnpm-lock.yaml", "pnpm-lock.yaml", map[string]any{"packageManager": "pnpm@12.21.0"}, nil), "Using pnpm 12.21.0", "pnpm prune"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := create(t, shared, "manager-"+name)
			id, output, failure := a.upload(test.files)
			for _, want := range []string{test.uses, "Running the build script", test.pruned} {
				if failure != "" || !strings.Contains(output, want) {
					t.Fatalf("%q is missing in the build: %s\n%s", want, failure, output)
				}
			}
			if got := a.start(id); got.status != http.StatusOK {
				t.Fatalf("the start: %d %s", got.status, got.body)
			}
			a.answers("1041 by no user")
			// The next build has the dependencies already.
			test.files["more.txt"] = "x"
			id, output, failure = a.upload(test.files)
			if failure != "" || !strings.Contains(output, "Reusing the dependencies") {
				t.Errorf("the second build: %s\n%s", failure, output)
			}
			a.ok(a.start(id))
			a.answers("1041 by no user")
		})
	}
}

// What can't be built fails by a reason that says why.
func TestBuildsThatFail(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "fails")
	for name, test := range map[string]struct {
		files files
		wants []string
	}{
		"two lockfiles": {typescript(t, "yarn-1.lock", "yarn.lock", nil, files{"package-lock.json": "{}"}), []string{"package-lock.json, yarn.lock"}},
		"husky":         {files{"package.json": `{"name":"app","scripts":{"prepare":"husky","start":"x"}}`}, []string{"husky: not found", "package.json"}},
		"type errors":   {typescript(t, "package-lock.json", "package-lock.json", map[string]any{"scripts": map[string]string{"build": "tsc --noEmit src.ts", "start": "x"}}, files{"src.ts": "const a: string = 1"}), []string{"npm run build failed", "error TS2322"}},
		"lock too old":  {typescript(t, "package-lock.json", "package-lock.json", map[string]any{"dependencies": map[string]string{"ms": "2.1.3", "is-number": "7.0.0"}}, nil), []string{"npm ci", "commit the lockfile"}},
		"no package":    {files{"package.json": `{"name":"app","dependencies":{"there-is-no-such-package-at-all":"1"}}`}, []string{"404", "check the name"}},
	} {
		_, output, failure := a.upload(test.files)
		for _, want := range test.wants {
			if !strings.Contains(failure, want) {
				t.Errorf("%s: %q is missing in %q\n%s", name, want, failure, output)
			}
		}
	}
}
