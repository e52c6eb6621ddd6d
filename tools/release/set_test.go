package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	t.Parallel()
	root := write(t, sample())
	before := snapshot(t, root)
	code, stdout, stderr := release(t, "set", "v0.2.0-rc.1", "-C", root)
	if code != exitOK {
		t.Fatalf("got exit code %d: %s", code, stderr)
	}
	expect(t, "stdout", stdout, "v0.2.0-rc.1", "## [0.2.0-rc.1] - Unreleased")

	after := snapshot(t, root)
	want := []string{"adapters/go.mod", "deployer/go.mod", "httpapi/go.mod", "providers/go.mod", "tests/go.mod", "tools/go.mod"}
	if got := changed(before, after); !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
	for _, name := range want {
		if got, want := after[name], strings.ReplaceAll(before[name], "v0.1.0", "v0.2.0-rc.1"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}

	// The changelog knows nothing of it yet.
	_, _, stderr = release(t, "check", "-C", root)
	expect(t, "stderr", stderr, `no section "## [0.2.0-rc.1] - Unreleased"`)
}

// What sync lifts is what any module requires, at the highest version, also
// where that is indirect; the third party is a module of our own making.
func TestSync(t *testing.T) {
	t.Parallel()
	files := sample()
	const thing = "example.org/thing"
	files["adapters/go.mod"] += "\nrequire " + thing + " v1.2.0\n"
	files["httpapi/go.mod"] += "\nrequire " + thing + " v1.10.0\n"
	root := write(t, files)
	w, err := openWorkspace(root)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lifted, err := w.lift(w.module("adapters"), &out)
	if err != nil || !lifted {
		t.Fatalf("lifting adapters: got %t, %v", lifted, err)
	}
	lifted, err = w.lift(w.module("httpapi"), &out)
	if err != nil || lifted {
		t.Fatalf("lifting httpapi: got %t, %v", lifted, err)
	}
	if got, want := out.String(), "adapters: "+thing+"@v1.2.0 => v1.10.0\n"; got != want {
		t.Errorf("got output %q, want %q", got, want)
	}
	expect(t, "adapters/go.mod", snapshot(t, root)["adapters/go.mod"], thing+" v1.10.0")

	// Nothing imports it, so tidying takes it out again and the second round
	// finds nothing to lift.
	code, _, stderr := release(t, "sync", "-C", root)
	if code != exitOK {
		t.Fatalf("got exit code %d: %s", code, stderr)
	}
	if got := changed(sample(), snapshot(t, root)); len(got) != 0 {
		t.Errorf("sync left changes in %v", got)
	}
}
