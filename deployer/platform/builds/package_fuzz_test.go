package builds

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is read of a package.json is what it says, whatever shape old packages
// give it; what can't be read is the package's fault, never the server's.
func FuzzReadPackage(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","version":"1.0.0","scripts":{"start":"node ."},"engines":{"node":">=20"}}`, `{"engines":"node 22"}`, `{"engines":["node >=0.8","npm"]}`,
		`{"engines":{"node":["20"]}}`, `{"scripts":[]}`, `{"scripts":{"start":" \n","install":"make"}}`, "\xef\xbb\xbf{}", `null`, `[]`, ``, `{}{}`,
		`{"dependencies":{},"workspaces":["a"]}`, `{"dependencies":[[]]}`, `{"name":{"a":1},"name":"b"}`, `{"scripts":{"start":"a","start":1}}`, `{"engines":"~"}`,
	} {
		f.Add([]byte(seed), "server.js")
	}
	f.Add([]byte(`{}`), "binding.gyp")
	f.Fuzz(func(t *testing.T, text []byte, beside string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "package.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		known := map[string]string{"server.js": "node server.js", "app.js": "node app.js", "index.js": "node index.js"}
		if known[beside] != "" || beside == "binding.gyp" {
			if err := os.WriteFile(filepath.Join(dir, beside), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := ReadPackage(dir)
		if err != nil {
			if _, blamed := Blame(err); !blamed || p != (Package{}) {
				t.Fatalf("%q: %+v, %v", text, p, err)
			}
			return
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(strings.TrimPrefix(string(text), bom)), &fields); err != nil || fields == nil {
			t.Fatalf("%q was read, which is no object: %v", text, err)
		}
		if strings.TrimSpace(p.Start) != p.Start || strings.TrimSpace(p.Node) != p.Node || beside == "binding.gyp" && !p.install {
			t.Fatalf("%q: %+v", text, p)
		}
		// The same in today's shape is the same package.
		today := map[string]any{"name": p.Name, "version": p.Version, "scripts": map[string]string{"start": p.Start}, "engines": map[string]string{"node": p.Node}}
		written, err := json.Marshal(today)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parsePackage(written)
		again.install = p.install
		if err != nil || again != p {
			t.Fatalf("%q is %+v, and then %+v, %v", text, p, again, err)
		}
	})
}
