package builds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxPackage is the largest package.json that is read, in bytes.
const maxPackage = 4 << 20

// bom begins what some editors of Windows write.
const bom = "\xef\xbb\xbf"

// Package is the part of a package.json that running an app needs.
type Package struct {
	Name    string
	Version string
	Start   string // scripts.start, or what stands for it; "" where the app has neither
	Node    string // engines.node, a range as npm writes it; "" for any
	Health  string // path that answers 2xx or 3xx once the app is ready; "" for none

	install bool // there is something for npm to do
}

// ReadPackage reads the package.json in the folder dir. It takes the shapes
// that old packages have, such as `engines` as a text or a list. It fails with
// a [Failure] where the file is missing or is no JSON object.
func ReadPackage(dir string) (Package, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Package{}, fmt.Errorf("builds: opening the app's folder: %w", err)
	}
	defer func() { _ = root.Close() }() // only read
	text, err := readFile(root, "package.json", maxPackage)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Package{}, &Failure{Reason: "the snapshot has no package.json in its top folder", Cause: err}
	case err != nil:
		return Package{}, &Failure{Reason: "package.json can't be read", Cause: err}
	}
	p, err := parsePackage(text)
	if err != nil {
		return Package{}, err
	}
	// Without scripts.start: the first is npm's own rule (docs.npmjs.com, "npm
	// start"), the others are what old apps rely on.
	for _, name := range []string{"server.js", "app.js", "index.js"} {
		if p.Start != "" {
			break
		}
		if info, err := root.Stat(name); err == nil && info.Mode().IsRegular() {
			p.Start = "node " + name
		}
	}
	if _, err := root.Stat("binding.gyp"); err == nil {
		p.install = true // npm then runs node-gyp
	}
	return p, nil
}

func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	// An app that runs has the same user, and may have put a pipe there.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return text, nil
}

func parsePackage(text []byte) (Package, error) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(bytes.TrimPrefix(text, []byte(bom)), &fields)
	if err != nil || fields == nil {
		return Package{}, &Failure{Reason: "package.json is no JSON object", Cause: err}
	}
	p := Package{
		Name: word(fields["name"]), Version: word(fields["version"]),
		Node: strings.TrimSpace(engine(fields["engines"])), Health: word(fields["health"]),
	}
	scripts := object(fields["scripts"])
	p.Start = strings.TrimSpace(word(scripts["start"]))
	// The scripts that `npm install` runs in the app's own folder.
	for _, name := range []string{"preinstall", "install", "postinstall", "prepublish", "prepare"} {
		p.install = p.install || word(scripts[name]) != ""
	}
	for _, name := range []string{"dependencies", "optionalDependencies", "peerDependencies", "workspaces"} {
		p.install = p.install || !empty(fields[name])
	}
	return p, nil
}

// engine returns the range for node: {"node": RANGE}, or as old packages have
// it "node RANGE", or a list of such texts.
func engine(engines json.RawMessage) string {
	if text := object(engines)["node"]; text != nil {
		return word(text)
	}
	var list []string
	if json.Unmarshal(engines, &list) != nil {
		list = []string{word(engines)}
	}
	for _, text := range list {
		rest, ok := strings.CutPrefix(strings.TrimSpace(text), "node")
		if ok || rest != "" && strings.ContainsAny(rest[:1], "0123456789<>=~^*vx") {
			return rest
		}
	}
	return ""
}

// word returns the text in a field, "" where it holds something else.
func word(field json.RawMessage) string {
	var text string
	if json.Unmarshal(field, &text) != nil {
		return ""
	}
	return text
}

// object returns the fields of an object, none where it is something else.
func object(field json.RawMessage) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(field, &fields) != nil {
		return nil
	}
	return fields
}

// empty tells whether a field is missing or an object or list with nothing in.
func empty(field json.RawMessage) bool {
	var list []json.RawMessage
	return len(object(field)) == 0 && (json.Unmarshal(field, &list) != nil || len(list) == 0)
}
