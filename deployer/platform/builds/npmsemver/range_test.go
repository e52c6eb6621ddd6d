package npmsemver_test

import (
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
)

// versions are what ranges are asked about.
func versions() []string {
	return []string{
		"0.0.0", "0.0.1", "0.0.2", "0.1.0", "0.2.3", "1.0.0", "1.2.3", "1.2.4", "1.3.0", "2.0.0", "12.0.0", "16.20.2",
		"18.0.0", "18.1.0", "18.20.3", "18.20.4", "18.20.5", "19.0.0", "20.0.0", "20.1.2", "20.11.1", "21.0.0", "22.1.0",
	}
}

// forms are ranges as people write them, well and badly.
func forms() []string {
	return []string{
		"", "*", "x", "X", "18", "18.x", "18.X.x", "18.*.*", "18.20.4", "v18.20.4", "=18.20.4", "==18.20.4", "= 18.20.4", "v20", "=v20", "^18", "^18.0.0",
		"^ 18.1", "^v18.0", "~18", "~18.20", "~18.20.4", "~>18.20", "~> 18", "^0.0.1", "^0.0", "^0", "^0.2.3", "^x", "~x", "~", "^", ">", ">=", ">=18", ">= 18", ">=18.0.0",
		">18", ">18.1", ">18.20.4", "<18", "<18.x", "<=18", "<=18.20", "<= 18.20.4", ">=18 <21", ">=18.0.0 <=20.x", ">=18.0.0 && <21", ">=18, <21", "18,20",
		"18 - 20", "18.1 - 20.1.2", "18.1.0 - 20.x", "x - 20", "18 - x", ">=12 - 20", "12.x - 18", "18 -20", "18- 20", "18 || 20", "18||20", "18 | 20", "20.x || || 18", "||", "18||", "foo || 18",
		"node 20", "node >=18", "> = 18", "lts", "lts/*", "latest", "!18", "20.1.2.3", "01.02.03", "x.1", "1.x.3", "^1.x.3", "~1.x.3", ">=1.x.3", ">=x", "<x", ">*", "<=*",
		"1.2.3-rc.1", ">=1.2.3-rc.1", ">1.2.3-rc.1", "<=1.2.3-rc.1", "<1.2.3-rc.1", "^1.2.3-rc.1", "~1.2.3-rc.1", "1.2.3beta", "1.2.3+build.5", ">=1.2.3+build", "^18 ^20", "18 20",
		"  18  ", "\t18\n", "18.20.4 ", "1.2 -3", "18.99999999999999999999.0", ">=18.x.x", "^18.x", "~18.x", "18.20.x || >=20.1", "<19 >18.1", "18.20.4 - 20 || 21",
	}
}

// npmReads asks npm's own semver which of the versions are in each range; nil
// for one that is not a range.
func npmReads(t testing.TB, ranges []string) [][]bool {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err == nil {
		npm, err = filepath.EvalSymlinks(npm)
	}
	if err != nil {
		t.Fatalf("npm: %v", err)
	}
	asked, err := json.Marshal(map[string]any{"ranges": ranges, "versions": versions()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "-e", `
		const semver = require(process.argv[1])
		const {ranges, versions} = JSON.parse(require("fs").readFileSync(0, "utf8"))
		console.log(JSON.stringify(ranges.map(text => {
			try { const r = new semver.Range(text, {loose: true}); return versions.map(v => r.test(v)) } catch { return null }
		})))`, filepath.Join(filepath.Dir(filepath.Dir(npm)), "node_modules", "semver"))
	cmd.Stdin = strings.NewReader(string(asked))
	answer, err := cmd.Output()
	var read [][]bool
	if err == nil {
		err = json.Unmarshal(answer, &read)
	}
	if err != nil || len(read) != len(ranges) {
		t.Fatalf("npm's semver answers %.200q: %v", answer, err)
	}
	return read
}

// compare checks that ranges are read as npm does.
func compare(t *testing.T, ranges []string) {
	t.Helper()
	for i, want := range npmReads(t, ranges) {
		r, err := npmsemver.ParseRange(ranges[i])
		if (err != nil) != (want == nil) {
			t.Errorf("%q: got %v, npm reads it: %t", ranges[i], err, want != nil)
			continue
		}
		for j, in := range want {
			v, ok := npmsemver.ParseVersion(versions()[j])
			if got := r.Contains(v); !ok || got != in {
				t.Errorf("%q contains %s: got %t, npm says %t", ranges[i], v, got, in)
			}
		}
	}
}

func TestRangesAsNpmReadsThem(t *testing.T) {
	t.Parallel()
	compare(t, forms())
}

// Ranges of random words, with a space between two versions.
func TestRandomRangesAsNpmReadsThem(t *testing.T) {
	t.Parallel()
	words := []string{
		"18 ", "20 ", "18.x ", "18.20 ", "18.20.4 ", "v18 ", "1.2.3-rc.1 ", "0.0.1 ", "0.2 ", "0 ", "foo ", ", ", "&& ", "- ", "|| ", "| ",
		">", ">=", "<", "<=", "=", "~", "^",
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same ones each time
	var ranges []string
	for range 20_000 {
		var text strings.Builder
		for range 1 + random.IntN(6) {
			text.WriteString(words[random.IntN(len(words))])
		}
		ranges = append(ranges, text.String())
	}
	compare(t, ranges)
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"20.11.1": "20.11.1", "v20.11.1": "20.11.1", "20.11": "", "20.11.1-rc.1": "", "": "", "a.b.c": ""} {
		v, ok := npmsemver.ParseVersion(text)
		if ok != (want != "") || ok && v.String() != want {
			t.Errorf("%q: got %v, %t", text, v, ok)
		}
	}
	if !npmsemver.Any().Contains(npmsemver.Version{Major: 1}) || (npmsemver.Range{}).Contains(npmsemver.Version{}) {
		t.Error("Any and the zero Range")
	}
}
