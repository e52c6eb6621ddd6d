package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// What a path may be, as the platform has it: with the top folder.
const (
	maxPath  = 1024 // bytes
	maxDepth = 64   // parts
)

// lister finds the files of a folder.
type lister struct {
	ctx     context.Context //nolint:containedctx // the lister lives no longer than the call
	folder  *Folder
	limits  Limits
	kept    ruleSet         // what is taken whatever the others say
	bundled map[string]bool // folders of packages that are packed from node_modules
	seen    int             // files and folders that are packed
	looked  int             // entries of folders that were read
}

// walk lists dir. sets are the rules of the folders above; out is set if dir
// was left out itself, and is looked into for what a rule brings back.
func (l *lister) walk(dir string, sets []ruleSet, out bool) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	set, err := l.rules(dir)
	if err != nil {
		return err
	}
	sets = append(slices.Clip(sets), set)
	entries, err := fs.ReadDir(l.folder.root.FS(), dir)
	if err != nil {
		return fmt.Errorf("pack: reading the folder %q: %w", dir, err)
	}
	// Bounded as well if nearly all is left out: it is the wrong folder.
	if l.looked += len(entries); l.looked > 20*l.limits.Entries {
		return fmt.Errorf("pack: there are more than %d files to choose from; is it the app's folder?", 20*l.limits.Entries)
	}
	before := len(l.folder.Files)
	for _, entry := range entries {
		if err := l.entry(path.Join(dir, entry.Name()), entry, sets, out); err != nil {
			return err
		}
	}
	if dir != "." && len(l.folder.Files) > before {
		return l.count()
	}
	if dir == "." {
		// Folders were read in order, but "a.js" comes before "a/b.js".
		slices.SortFunc(l.folder.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	}
	return nil
}

func (l *lister) count() error {
	if l.seen++; l.seen > l.limits.Entries {
		return fmt.Errorf("pack: there are more than %d files; leave some out by an .npmignore", l.limits.Entries)
	}
	return nil
}

// rules returns what dir itself says about what is below it. An installed package is
// packed as it is.
func (l *lister) rules(dir string) (ruleSet, error) {
	if strings.Contains("/"+dir+"/", "/"+modules+"/") {
		return ruleSet{base: dir}, nil
	}
	if dir == "." && l.folder.Manifest.files != nil {
		return listed(l.folder.Manifest.files), nil
	}
	for _, name := range []string{".npmignore", ".gitignore"} {
		text, err := readSmall(l.folder.root, path.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFile):
			continue
		case err != nil:
			return ruleSet{}, fmt.Errorf("pack: reading %q: %w", path.Join(dir, name), err)
		}
		return ruleSet{base: dir, rules: parseRules(string(text), name == ".npmignore"), reaching: name == ".npmignore"}, nil
	}
	return ruleSet{base: dir}, nil
}

func (l *lister) entry(name string, entry fs.DirEntry, sets []ruleSet, out bool) error {
	folder := entry.IsDir()
	switch {
	case l.bundled[name]:
		return l.walk(name, nil, false) // whatever is said of node_modules
	case l.leadsToBundled(name):
		return l.walk(name, sets, true)
	case (name == npmrcName || name == yarnrcName) && !folder:
		return l.settings(name)
	case never(entry.Name()):
		if strings.EqualFold(entry.Name(), npmrcName) {
			l.folder.LeftOut = append(l.folder.LeftOut, name)
		}
		return nil
	}
	out, reached := decide(append(slices.Clip(sets), l.kept), name, folder, out)
	switch {
	case folder && (!out || reached):
		if err := checkPath(name); err != nil {
			return err
		}
		return l.walk(name, sets, out)
	case out || folder:
		return nil
	case !entry.Type().IsRegular():
		l.folder.LeftOut = append(l.folder.LeftOut, name)
		return nil
	}
	return l.file(name, entry)
}

// leadsToBundled reports whether a bundled package is below the folder.
func (l *lister) leadsToBundled(name string) bool {
	for dir := range l.bundled {
		if strings.HasPrefix(dir, name+"/") && strings.Contains("/"+name+"/", "/"+modules+"/") {
			return true
		}
	}
	return false
}

// settings has the settings of a package manager packed, without credentials.
func (l *lister) settings(name string) error {
	text, err := readSmall(l.folder.root, name)
	if errors.Is(err, errNoFile) {
		l.folder.LeftOut = append(l.folder.LeftOut, name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("pack: reading %s: %w", name, err)
	}
	clean, removed := withoutCredentials(name, string(text))
	if removed {
		l.folder.Cleaned = append(l.folder.Cleaned, name)
	}
	l.folder.Size += int64(len(clean))
	l.folder.Files = append(l.folder.Files, File{Path: name, Size: int64(len(clean)), text: []byte(clean)})
	return l.count()
}

func (l *lister) file(name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return fmt.Errorf("pack: reading about %q: %w", name, err)
	}
	if err := errors.Join(checkPath(name), l.count()); err != nil {
		return err
	}
	if info.Size() > l.limits.Bytes-l.folder.Size {
		return fmt.Errorf("pack: the files are larger than %d MiB; leave some out by an .npmignore", l.limits.Bytes>>20)
	}
	l.folder.Size += info.Size()
	l.folder.Files = append(l.folder.Files, File{Path: name, Size: info.Size(), Executable: info.Mode()&0o111 != 0})
	return nil
}

// checkPath refuses what the platform would.
func checkPath(name string) error {
	whole := path.Join(top, name)
	why := ""
	switch {
	case len(whole) > maxPath:
		why = fmt.Sprintf("is longer than %d bytes", maxPath)
	case strings.Count(whole, "/") >= maxDepth:
		why = fmt.Sprintf("is more than %d folders deep", maxDepth)
	case !utf8.ValidString(name):
		why = "is not UTF-8"
	case strings.Contains(name, `\`):
		why = "has a backslash"
	default:
		return nil
	}
	return fmt.Errorf("pack: the path %.200q %s; leave it out by an .npmignore", name, why)
}

// never reports whether a file or folder of that name is packed nowhere, as npm
// has it.
func never(name string) bool {
	switch strings.ToLower(name) {
	case "node_modules", ".git", ".svn", ".hg", "cvs", ".ds_store", ".npmrc", ".lock-wscript", "npm-debug.log", ".npmignore", ".gitignore":
		return true
	}
	return strings.HasPrefix(name, "._") || strings.HasPrefix(name, ".wafpickle-") || strings.HasSuffix(name, ".orig") ||
		strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".swp")
}
