package snapshots

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// maxPackage is the largest package.json that is read, in bytes.
const maxPackage = 4 << 20

// startOf returns what runs the app in dir. found is what the build found,
// which stands where package.json has scripts.start or there is a server.js,
// npm's own rule. Old apps without either are run by `main`, as node would
// load it.
func startOf(dir, found string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("snapshots: opening the built folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	if isFile(root, "server.js") {
		return found, nil
	}
	if !isFile(root, "package.json") {
		return found, nil // an install script put something else in its place
	}
	file, err := root.Open("package.json")
	if err != nil {
		return "", fmt.Errorf("snapshots: reading package.json: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, maxPackage))
	if err != nil {
		return "", fmt.Errorf("snapshots: reading package.json: %w", err)
	}
	var fields struct {
		Main    any `json:"main"`
		Scripts any `json:"scripts"`
	}
	if json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &fields) != nil {
		return found, nil
	}
	scripts, _ := fields.Scripts.(map[string]any)
	if start, _ := scripts["start"].(string); strings.TrimSpace(start) != "" {
		return found, nil
	}
	main, _ := fields.Main.(string)
	main = path.Clean(strings.TrimPrefix(main, "./"))
	for _, name := range []string{main, main + ".js", main + "/index.js"} {
		if plain(name) && isFile(root, name) {
			return "node " + name, nil
		}
	}
	return found, nil
}

func isFile(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// plain tells whether a shell reads name as one word and node as a path.
func plain(name string) bool {
	if name == "" || name[0] == '-' {
		return false
	}
	for _, c := range name {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("._-/@+,", c) {
			return false
		}
	}
	return true
}
