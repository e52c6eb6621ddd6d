package builds

import (
	"path/filepath"
	"reflect"
	"testing"
)

// What writeProgram has written is read again.
func TestPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := []Program{{"npx", "/a/it's npx.js", true}, {"pnpm", "/a/pnpm", false}}
	for by, p := range map[string]Program{"/usr/bin/node": want[0], "": want[1]} {
		if err := writeProgram(filepath.Join(dir, p.Name), by, p.Path); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Programs(dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := Programs(filepath.Join(dir, "none")); err != nil || got != nil {
		t.Errorf("without a folder got %+v, %v", got, err)
	}
}
