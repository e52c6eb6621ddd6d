package deploy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// manifest is what a package.json says that matters here; the rest of it is for the
// platform.
type manifest struct {
	name    string // as it is written; "" if there is none
	version string // "0.0.0" if there is none
	text    []byte // the whole, a JSON object
}

// parseManifest reads a package.json. It does not change text.
func parseManifest(text []byte) (manifest, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return manifest{}, fmt.Errorf("package.json is not a JSON object: %w", err)
	}
	if fields == nil {
		return manifest{}, errors.New("package.json is not a JSON object: it is null")
	}
	m := manifest{text: text}
	if json.Unmarshal(fields["name"], &m.name) != nil {
		m.name = ""
	}
	if json.Unmarshal(fields["version"], &m.version) != nil || m.version == "" {
		m.version = "0.0.0"
	}
	return m, nil
}

// app returns the name of the app that an entry deploys: the one that the webhook
// names, else that of package.json, without its scope and in lower case, else that
// of the folder or the repository. note says how the name was found if it is not
// that of package.json.
func (m manifest) app(e core.Entry) (name, note string, err error) {
	const how = "; to choose another one, add app=NAME to the webhook's URL"
	if e.Target.App != "" {
		return e.Target.App, "", nil
	}
	if m.name == "" {
		name = strings.ToLower(path.Base(cmp.Or(e.Target.Root, e.Repository.Name)))
		note = fmt.Sprintf("package.json has no name, so the app is named %q%s", name, how)
	} else if name = unscoped(m.name); name != m.name {
		note = fmt.Sprintf("The name %q in package.json can't be an app's, so the app is named %q%s", clip(m.name, 200), name, how)
	}
	if m.name != "" && strings.Contains(m.name, "/") && (m.name[0] != '@' || strings.Count(m.name, "/") > 1) {
		name = m.name // not a scope
	}
	if err := core.CheckName("app", name); err != nil {
		return "", "", fmt.Errorf("%w (or name the app in the webhook's URL: app=NAME)", err)
	}
	return name, note, nil
}

// unscoped returns the name of a package without its scope and in lower case.
func unscoped(name string) string {
	return strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
}

// fields returns the package.json with the name of the app as its name. The addresses
// in it are those of the app that it names, so another one does not have them.
func (m manifest) fields(name string) ([]byte, error) {
	if m.name == name {
		return m.text, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(m.text, &fields); err != nil {
		return nil, err
	}
	if m.name != "" && unscoped(m.name) != name {
		delete(fields, "subdomain")
		delete(fields, "domains")
	}
	fields["name"] = json.RawMessage(`"` + name + `"`)
	return json.Marshal(fields)
}

// snapshotID names the snapshot of a commit and a folder of it: the same for each
// attempt, so that an upload done twice is one snapshot.
func snapshotID(version, commit, root string) string {
	clean := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(version))
	clean = strings.TrimLeft(clean, ".-")
	const commitDigits, rootDigits = 12, 4
	if most := core.MaxName - 2 - commitDigits - rootDigits; len(clean) > most {
		clean = clean[:most]
	}
	id := cmp.Or(clean, "0") + "-" + commit[:commitDigits]
	if root != "" {
		sum := sha256.Sum256([]byte(root))
		id += "-" + hex.EncodeToString(sum[:])[:rootDigits]
	}
	return id
}
