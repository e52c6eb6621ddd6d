package builds_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// BenchmarkRebuild compares builds of an app with 80 packages of 20 files,
// from a registry on this machine, all with what npm has in its cache:
//
//	cold      npm does all of it, as without a cache
//	first     npm installs, and the dependencies are kept
//	reused    they are there
//	scripts   the same, for an app with a script of its own
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
		name          string
		tgz           []byte
		shares, keeps bool
	}{
		{"cold", plain, false, false},
		{"first", plain, true, false},
		{"reused", plain, true, true},
		{"scripts", scripts, true, true},
	} {
		b.Run(test.name, func(b *testing.B) {
			bench, next := sharing(b, builds.Options{Registry: s.url})
			deps := bench.deps
			if !test.shares {
				bench.deps = ""
			}
			bench.mustBuild(test.tgz) // fills npm's cache
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				if !test.keeps {
					if err := os.RemoveAll(string(deps)); err != nil {
						b.Fatal(err)
					}
				}
				next(fmt.Sprint("build", n))
				b.StartTimer()
				bench.mustBuild(test.tgz)
			}
			if got := strings.Contains(bench.out.String(), reusing); got != test.keeps {
				b.Errorf("reused is %v:\n%s", got, bench.out.String())
			}
		})
	}
}
