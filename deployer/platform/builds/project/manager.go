package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
)

// The package managers.
const (
	Npm  = "npm"
	Yarn = "yarn"
	Pnpm = "pnpm"
)

// Manager is the package manager that installs an app's dependencies.
type Manager struct {
	Name     string // Npm, Yarn or Pnpm
	Version  string // an exact one; "" for the newest in Range, if possible one in Prefer
	Range    string // of versions, as npm writes them; "" for any
	Prefer   string // the same
	Source   string // why this one
	Lockfile string // its name; "" if there is none
	Major    int    // of the version, as far as it is known

	PnP      bool // yarn resolves modules itself, without node_modules
	CanFocus bool // yarn can remove what only the build needs
	Pinned   bool // the repository says which version
	Scripts  bool // the repository says which dependencies may run scripts
}

// Berry reports whether it is yarn 2 or later.
func (m Manager) Berry() bool { return m.Name == Yarn && m.Major >= 2 }

// lockfiles are the names of lockfiles, of one manager the preferred first.
var lockfiles = []struct{ name, manager string }{ //nolint:gochecknoglobals // a table
	{"npm-shrinkwrap.json", Npm}, {"package-lock.json", Npm}, {"yarn.lock", Yarn}, {"pnpm-lock.yaml", Pnpm},
}

// pinned is the field packageManager (nodejs.org/api/packages.html).
var pinned = regexp.MustCompile(`^([a-z]+)@(\d+)\.(\d+\.\d+[0-9A-Za-z.-]*)(\+[0-9A-Za-z.=/+-]*)?$`)

// readManager finds out which package manager installs the workspace at dir:
// the one that packageManager names, else that of the lockfile, else npm.
// packages are those of the app and of its workspace.
func readManager(root *os.Root, dir string, packages []Package) (Manager, []string, error) {
	m, notes, err := chooseManager(root, dir, packages)
	if err != nil {
		return Manager{}, nil, err
	}
	switch m.Name {
	case Yarn:
		err = m.readYarn(root, dir)
	case Pnpm:
		err = m.readPnpm(root, dir, packages)
	default:
		m.readEngines(packages)
		m.Prefer = "<12" // npm 12 runs no scripts of dependencies
	}
	return m, notes, err
}

func chooseManager(root *os.Root, dir string, packages []Package) (m Manager, notes []string, err error) {
	var names, managers []string
	for _, lock := range lockfiles {
		if info, err := root.Stat(path.Join(dir, lock.name)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		names = append(names, lock.name)
		if !slices.Contains(managers, lock.manager) {
			managers = append(managers, lock.manager)
			m = Manager{Name: lock.manager, Lockfile: lock.name, Source: "there is " + article(lock.name)}
		}
	}
	if len(managers) > 1 {
		return Manager{}, nil, failure("there is more than one lockfile (%s), and each may ask for other versions; keep the one of the package manager that you use and remove the others", strings.Join(names, ", "))
	}
	for _, name := range []string{"bun.lock", "bun.lockb"} {
		if _, err := root.Stat(path.Join(dir, name)); err == nil && m.Name == "" {
			notes = append(notes, name+" is not read, as Bun is not supported; the versions may be other ones")
		}
	}
	for _, p := range packages {
		if p.PackageManager == "" {
			continue
		}
		match := pinned.FindStringSubmatch(p.PackageManager)
		if match == nil || !slices.Contains([]string{Npm, Yarn, Pnpm}, match[1]) {
			return Manager{}, nil, failure("packageManager in package.json is %.100q; want npm, yarn or pnpm with a version, such as \"pnpm@10.0.0\"", p.PackageManager)
		}
		if m.Name != "" && m.Name != match[1] {
			return Manager{}, nil, failure("packageManager in package.json is %.100q, but %s is %s's; remove the one that you don't use", p.PackageManager, m.Lockfile, m.Name)
		}
		m.Name, m.Pinned, m.Version, m.Source = match[1], true, match[2]+"."+match[3], "packageManager in package.json says so"
		m.Major, _ = strconv.Atoi(match[2])
		return m, notes, nil
	}
	if m.Name == "" {
		m = Manager{Name: Npm, Source: "there is no lockfile"}
	}
	return m, notes, nil
}

func article(name string) string {
	if name[0] == 'n' {
		return "an " + name
	}
	return "a " + name
}

// readEngines has an app's engines choose the version.
func (m *Manager) readEngines(packages []Package) {
	for _, p := range packages {
		text := strings.TrimSpace(p.Engines[m.Name])
		if m.Version != "" || text == "" {
			continue
		}
		if _, err := npmsemver.ParseRange(text); err == nil && !unsafe.MatchString(text) {
			m.Range, m.Source = text, fmt.Sprintf("engines.%s is %q", m.Name, text)
			return
		}
	}
}

// yarnRelease is the file of a yarn that a repository brings along.
var yarnRelease = regexp.MustCompile(`yarn-(\d+)\.(\d+\.\d+)[^/]*$`)

// readYarn finds out which yarn it is, and how that installs.
func (m *Manager) readYarn(root *os.Root, dir string) error {
	lock, err := readOptional(root, path.Join(dir, "yarn.lock"))
	if err != nil {
		return err
	}
	text, err := readOptional(root, path.Join(dir, ".yarnrc.yml"))
	if err != nil {
		return err
	}
	settings := topLevel(text)
	if m.Version == "" {
		m.Range, m.Major = yarnOf(lock)
		if match := yarnRelease.FindStringSubmatch(first(settings["yarnPath"])); match != nil && m.Major >= 2 {
			m.Major, _ = strconv.Atoi(match[1])
			m.Pinned, m.Version, m.Source = true, match[1]+"."+match[2], "yarnPath in .yarnrc.yml says so"
		}
	}
	if m.Major >= 2 {
		linker := first(settings["nodeLinker"])
		m.PnP = linker == "" || linker == "pnp"
		m.Scripts = len(settings["enableScripts"]) > 0
		m.CanFocus = m.Major >= 4 || strings.Contains(text, "plugin-workspace-tools")
	}
	return nil
}

// metadata is where a yarn.lock of yarn 2 and later has its version.
var metadata = regexp.MustCompile(`(?m)^__metadata:\r?\n(?:  .*\r?\n)*?  version: (\d+)`)

// yarnOf returns the versions of yarn that write such a lockfile, and must be
// used to install by it: others would change it.
func yarnOf(lock string) (versions string, major int) {
	match := metadata.FindStringSubmatch(lock)
	if match == nil {
		return "1", 1
	}
	switch version, _ := strconv.Atoi(match[1]); {
	case version <= 4:
		return "2", 2
	case version <= 7:
		return "3", 3
	}
	return "4", 4
}

// lockVersion is where a pnpm-lock.yaml has its version. It may have several
// documents, of which the last is about the app.
var lockVersion = regexp.MustCompile(`(?m)^lockfileVersion: ['"]?(\d+)\.(\d+)`)

// readPnpm finds out which pnpm it is.
func (m *Manager) readPnpm(root *os.Root, dir string, packages []Package) error {
	text, err := readOptional(root, path.Join(dir, "pnpm-workspace.yaml"))
	if err != nil {
		return err
	}
	settings := topLevel(text)
	for _, name := range []string{"onlyBuiltDependencies", "neverBuiltDependencies", "ignoredBuiltDependencies", "allowBuilds", "dangerouslyAllowAllBuilds", "strictDepBuilds"} {
		_, ok := settings[name]
		m.Scripts = m.Scripts || ok
		for _, p := range packages {
			m.Scripts = m.Scripts || object(p.raw["pnpm"])[name] != nil
		}
	}
	m.readEngines(packages)
	lock, err := readOptional(root, path.Join(dir, "pnpm-lock.yaml"))
	if err != nil {
		return err
	}
	m.Prefer = pnpmOf(lock)
	if _, ok := settings["allowBuilds"]; ok && m.Prefer == "10" {
		m.Prefer = "11" // the first that reads it
	}
	return nil
}

// pnpmOf returns the versions of pnpm for a lockfile. That of version 9 is
// written by pnpm 9 to 12; 10 reads the settings of all of them but the
// newest.
func pnpmOf(lock string) string {
	matches := lockVersion.FindAllStringSubmatch(lock, -1)
	if matches == nil {
		return "10"
	}
	switch last := matches[len(matches)-1]; {
	case last[1] == "5" && last[2] == "4":
		return "7"
	case last[1] == "5":
		return "6"
	case last[1] == "6":
		return "8"
	}
	return "10"
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// readOptional reads a file, "" if there is none.
func readOptional(root *os.Root, name string) (string, error) {
	text, err := readFile(root, name, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", failure("%s can't be read: %v", name, err)
	}
	return string(text), nil
}
