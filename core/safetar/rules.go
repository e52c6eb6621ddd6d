package safetar

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

const (
	maxPath  = 1024 // bytes
	maxPart  = 255  // bytes; what file systems accept
	maxDepth = 64   // parts
)

// checkName returns the clean name of a member and its top folder, or what is
// wrong with it. rest is "" for the top folder itself.
func checkName(name string, folder bool) (top, rest string, err error) {
	if folder {
		name = strings.TrimSuffix(name, "/")
	}
	name = strings.TrimPrefix(name, "./") // as `tar -czf x.tgz ./package` writes it
	switch {
	case !utf8.ValidString(name):
		return "", "", errors.New("its name is not valid UTF-8")
	case strings.ContainsAny(name, "\\\x00"):
		return "", "", errors.New("its name contains a backslash or NUL")
	case strings.HasPrefix(name, "/"):
		return "", "", errors.New("its path is absolute")
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return "", "", fmt.Errorf("its path contains the part %q", part)
		case len(part) > maxPart:
			return "", "", fmt.Errorf("a part of its path is longer than %d bytes", maxPart)
		}
	}
	top, rest, _ = strings.Cut(name, "/")
	switch {
	case len(rest) > maxPath:
		return "", "", fmt.Errorf("its path is longer than %d bytes", maxPath)
	case strings.Count(rest, "/") >= maxDepth:
		return "", "", fmt.Errorf("it is more than %d folders deep", maxDepth)
	case rest == "" && !folder:
		return "", "", errors.New("it is not in the archive's top folder")
	}
	return top, rest, nil
}

// CheckLink returns what is wrong with the target of a symbolic link at name,
// a path within the tree, nil if the link stays within the tree. ".." is
// allowed at the beginning only, where it starts from real folders: after a
// name, which may be a link itself, it could lead anywhere.
func CheckLink(name, target string) error {
	switch {
	case target == "" || len(target) > maxPath:
		return errors.New("its target is empty or too long")
	case !utf8.ValidString(target) || strings.ContainsAny(target, "\\\x00"):
		return errors.New("its target contains characters that are invalid in a path")
	case strings.HasPrefix(target, "/"):
		return errors.New("its target is absolute")
	}
	height, named := strings.Count(name, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if height--; named || height < 0 {
				return errors.New("its target may be outside of the tree")
			}
		default:
			named = true
		}
	}
	return nil
}

// tree is what an archive has contained so far.
type tree struct {
	kinds map[string]byte // type of each path; the folders above a member are in it
	most  int             // paths that it may have
}

var errTooMany = errors.New("too many entries")

// add adds a member. It refuses a duplicate, and one below something that is not a
// folder: the result of unpacking would depend on the order.
func (t *tree) add(name string, kind byte) error {
	if before, ok := t.kinds[name]; ok {
		if before == tar.TypeDir && kind == tar.TypeDir {
			return nil
		}
		return errors.New("its name is a duplicate")
	}
	for above := path.Dir(name); above != "."; above = path.Dir(above) {
		before, ok := t.kinds[above]
		if ok && before != tar.TypeDir {
			return fmt.Errorf("%.200q, above it, is not a folder", above)
		}
		if ok {
			break
		}
		t.kinds[above] = tar.TypeDir // a folder without an entry of its own counts as well
	}
	t.kinds[name] = kind
	if len(t.kinds) > t.most {
		return errTooMany
	}
	return nil
}
