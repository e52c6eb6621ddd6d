package builds

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// What a name in an archive may be.
const (
	maxPath  = 1024 // bytes
	maxPart  = 255  // bytes between two slashes; what file systems take
	maxDepth = 64   // folders
	topName  = "package"
)

// entryPath returns the path of an archive's entry below the top folder; "."
// for the top folder itself. It refuses what would leave the folder and what
// means one thing here and another elsewhere.
func entryPath(name string, folder bool) (string, error) {
	if folder {
		name = strings.TrimSuffix(name, "/")
	}
	name = strings.TrimPrefix(name, "./") // as `tar -czf x.tgz ./package` writes it
	switch {
	case len(name) > maxPath:
		return "", fmt.Errorf("its path is longer than %d bytes", maxPath)
	case !utf8.ValidString(name):
		return "", errors.New("its name is not UTF-8")
	case strings.ContainsAny(name, "\\\x00"):
		return "", errors.New("its name holds a backslash or NUL")
	case strings.HasPrefix(name, "/"):
		return "", errors.New("its path is absolute")
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxDepth {
		return "", fmt.Errorf("it is more than %d folders deep", maxDepth)
	}
	for _, part := range parts {
		switch part {
		case "", ".", "..":
			return "", fmt.Errorf("its path has the part %q", part)
		}
		if len(part) > maxPart {
			return "", fmt.Errorf("a part of its path is longer than %d bytes", maxPart)
		}
	}
	if parts[0] != topName || len(parts) == 1 && !folder {
		return "", errors.New("it is outside of the folder package/")
	}
	if len(parts) == 1 {
		return ".", nil
	}
	return path.Join(parts[1:]...), nil
}

// linkTarget checks the target of a symbolic link at the path name: relative,
// and within the top folder. Climbing is allowed at its beginning alone, where
// it starts from real folders; after a name, which may be a link itself, ".."
// would lead to who knows where.
func linkTarget(name, target string) error {
	switch {
	case target == "" || len(target) > maxPath:
		return errors.New("its target is empty or too long")
	case !utf8.ValidString(target) || strings.ContainsAny(target, "\\\x00"):
		return errors.New("its target holds what no name may")
	case strings.HasPrefix(target, "/"):
		return errors.New("its target is absolute")
	}
	height := strings.Count(name, "/") // how often it may climb
	named := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if height--; named || height < 0 {
				return errors.New("its target may be outside of the folder package/")
			}
		default:
			named = true
		}
	}
	return nil
}

// fold returns what two names have in common that are the same file where
// case doesn't count.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }
