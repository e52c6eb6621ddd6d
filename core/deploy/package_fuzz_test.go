package deploy

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// The names of the app and of the snapshot that a package.json leads to are safe in
// a path, and the other fields stay as they are.
func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		`{"name":"hello","version":"1.2.3"}`, "\xef\xbb\xbf{\"name\":\"a\"}\n", `{"name":"a","version":null}`, `{"name":"../a"}`, `{"name":"a","name":"../b"}`,
		`{"name":["a"]}`, `{"Name":"b","name":"a"}`, `{"name":"a","version":"../../1.0"}`, `{"name":"a","version":"` + "\\u0000\\ud800" + `"}`,
		`{"name":"a","version":"...---"}`, `null`, `[]`, `"a"`, ``, `{"name":"a"}{}`, `{"name":"a","version":"İK"}`, `{"name":"@A/b","x":1}`, `{"name":"@a/../b"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kept := bytes.Clone(text)
		m, err := parseManifest(text)
		if !bytes.Equal(text, kept) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			return
		}
		name, _, err := m.app(core.Entry{Repository: core.Repository{Name: "hello"}})
		if err != nil {
			return
		}
		id := snapshotID(m.version, commitA, "")
		if !core.ValidName(name) || !core.ValidName(id) || filepath.Base(filepath.Join("/apps", name, id)) != id {
			t.Fatalf("got app %q, snapshot %q", name, id)
		}
		fields, err := m.fields(name)
		if err != nil || !json.Valid(fields) {
			t.Fatalf("got %s, %v", fields, err)
		}
		if again, err := parseManifest(fields); err != nil || again.name != name && m.name != "" || again.version != m.version {
			t.Fatalf("read again it is %+v, %v", again, err)
		}
	})
}
