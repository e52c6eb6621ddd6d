package deploy

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// What is read of a package.json names an app and a snapshot that can stand in
// a path, and the rest of it goes on as it came.
func FuzzParsePackage(f *testing.F) {
	for _, seed := range []string{
		`{"name":"hello","version":"1.2.3"}`, "\xef\xbb\xbf{\"name\":\"a\"}\n", `{"name":"a","version":null}`, `{"name":"../a"}`, `{"name":"a","name":"../b"}`,
		`{"name":["a"]}`, `{"Name":"b","name":"a"}`, `{"name":"a","version":"../../1.0"}`, `{"name":"a","version":"` + "\\u0000\\ud800" + `"}`,
		`{"name":"a","version":"...---"}`, `null`, `[]`, `"a"`, ``, `{"name":"a"}{}`, `{"name":"a","version":"İK"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kept := bytes.Clone(text)
		p, version, err := parsePackage(text)
		if !bytes.Equal(text, kept) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			if p.Name != "" || p.Fields != nil {
				t.Fatalf("refused, and yet %+v", p)
			}
			return
		}
		if !core.ValidName(p.Name) || version == "" || !json.Valid(p.Fields) || !bytes.Contains(kept, p.Fields) {
			t.Fatalf("read %+v, version %q", p, version)
		}
		id := snapshotID(version, commitA)
		if !core.ValidName(id) || filepath.Base(filepath.Join("/apps", p.Name, id)) != id {
			t.Fatalf("version %q makes the snapshot %q", version, id)
		}
		if again, same, err := parsePackage(p.Fields); err != nil || again.Name != p.Name || same != version {
			t.Fatalf("read again it is %q %q, %v; it was %q %q", again.Name, same, err, p.Name, version)
		}
	})
}
