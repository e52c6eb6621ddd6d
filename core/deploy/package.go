package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// parsePackage reads a package.json: only the app's name and version matter
// here; the rest of it is for the platform.
func parsePackage(text []byte) (p Package, version string, err error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return Package{}, "", fmt.Errorf("package.json is not a JSON object: %w", err)
	}
	var name string
	if err := json.Unmarshal(fields["name"], &name); err != nil || name == "" {
		return Package{}, "", fmt.Errorf("package.json has no name")
	}
	if !core.ValidName(name) {
		return Package{}, "", fmt.Errorf("the name %q can't be an app's: lower-case letters, digits, '.', '_' and '-' may stand in it, at most %d, beginning with a letter or digit", name, core.MaxName)
	}
	if json.Unmarshal(fields["version"], &version) != nil || version == "" {
		version = "0.0.0"
	}
	return Package{Name: name, Fields: text}, version, nil
}

// snapshotID names the snapshot of a commit: the same for each attempt, so
// that an upload done twice is one snapshot.
func snapshotID(version, commit string) string {
	clean := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(version))
	clean = strings.TrimLeft(clean, ".-")
	const commitDigits = 12
	if most := core.MaxName - 1 - commitDigits; len(clean) > most {
		clean = clean[:most]
	}
	if clean == "" {
		clean = "0"
	}
	return clean + "-" + commit[:commitDigits]
}
