package builds_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// BenchmarkRebuild compares builds of an app with 80 packages of 20 files,
// from a registry on this machine, all with a warm npm cache:
//
//	cold      npm installs, without a dependency cache
//	first     npm installs, and the dependencies are cached
//	reused    the dependencies are reused
//	scripts   the same, for an app with an install script
func BenchmarkRebuild(b *testing.B) {
	s := newShop(b)
	for i := range 80 {
		var files []entry
		for j := range 20 {
			files = append(files, entry{name: fmt.Sprintf("package/lib/file%d.js", j), text: strings.Repeat("module.exports = 1;\n", 200)})
		}
		s.add(b, fmt.Sprintf("package%d", i), map[string]any{}, files...)
	}
	plain := s.app(b, nil)
	scripts := s.app(b, map[string]any{"scripts": map[string]string{"postinstall": "true"}})
	for _, test := range []struct {
		name           string
		tgz            []byte
		shares, reuses bool
	}{
		{"cold", plain, false, false},
		{"first", plain, true, false},
		{"reused", plain, true, true},
		{"scripts", scripts, true, true},
	} {
		b.Run(test.name, func(b *testing.B) {
			f, next := sharing(b, builds.Options{Registry: s.url})
			deps := f.deps
			if !test.shares {
				f.deps = ""
			}
			f.mustBuild(test.tgz) // fills npm's cache
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				if !test.reuses {
					if err := os.RemoveAll(string(deps)); err != nil {
						b.Fatal(err)
					}
				}
				next(fmt.Sprint("build", n))
				b.StartTimer()
				f.mustBuild(test.tgz)
			}
			if got := strings.Contains(f.out.String(), reusing); got != test.reuses {
				b.Errorf("reused: %v:\n%s", got, f.out.String())
			}
		})
	}
}
