package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Project is what a repository says about its app.
type Project struct {
	App       Member   // the app
	Workspace Member   // where its dependencies are installed: the app itself, or the workspace that it belongs to
	Members   []Member // of the workspace, by path; none if there is none
	Node      Node
	Manager   Manager
	Turbo     bool              // the workspace is built by Turborepo
	Native    bool              // npm compiles the app itself, as it has a binding.gyp
	Procfile  map[string]string // commands by the names of processes; nil if there is none
	Notes     []string          // what is not as it seems
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Read reads the project in the folder dir, of which the app is in the folder
// below; "" and "." are dir itself. It fails with
// [core.CodePlatformBuildFailed] if an app can't be made of it.
func Read(dir, below string) (Project, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Project{}, fmt.Errorf("project: opening the folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	app := path.Clean("/" + below)[1:]
	if app == "" {
		app = "."
	}
	p := Project{}
	if p.App, err = readMember(root, app, below); err != nil {
		return Project{}, err
	}
	if err := p.readWorkspace(root); err != nil {
		return Project{}, err
	}
	dirs, packages := []string{p.App.Dir}, []Package{p.App.Package}
	if p.Workspace.Dir != p.App.Dir {
		dirs, packages = append(dirs, p.Workspace.Dir), append(packages, p.Workspace.Package)
	}
	if p.Node, err = readNode(root, dirs, packages); err != nil {
		return Project{}, err
	}
	manager, notes, err := readManager(root, p.Workspace.Dir, packages)
	if err != nil {
		return Project{}, err
	}
	p.Manager, p.Notes = manager, append(p.Notes, notes...)
	_, turbo := statFile(root, path.Join(p.Workspace.Dir, "turbo.json"))
	p.Turbo = turbo && (p.Workspace.Package.Dependencies["turbo"] != "" || p.Workspace.Package.DevDependencies["turbo"] != "")
	_, p.Native = statFile(root, path.Join(p.App.Dir, "binding.gyp"))
	if p.Procfile, err = readProcfile(root, p.App.Dir); err != nil {
		return Project{}, err
	}
	return p, p.check()
}

func statFile(root *os.Root, name string) (fs.FileInfo, bool) {
	info, err := root.Stat(name)
	return info, err == nil && info.Mode().IsRegular()
}

func readMember(root *os.Root, dir, asked string) (Member, error) {
	p, err := readPackage(root, dir)
	if isMissing(err) {
		if dir == "." {
			return Member{}, failure("the snapshot has no package.json in its top folder; add one, or name the app's folder as root")
		}
		return Member{}, failure("the root folder %.200q has no package.json", asked)
	}
	return Member{dir, p}, err
}

// readWorkspace finds the workspace that the app belongs to, or is.
func (p *Project) readWorkspace(root *os.Root) error {
	p.Workspace = p.App
	for dir := p.App.Dir; ; dir = path.Dir(dir) {
		at := p.App.Package
		if dir != p.App.Dir {
			var err error
			if at, err = readPackage(root, dir); isMissing(err) {
				at = Package{} // pnpm's need none
			} else if err != nil {
				return err
			}
		}
		patterns, err := patternsOf(root, dir, at)
		if err != nil {
			return err
		}
		if len(patterns) > 0 && (dir == p.App.Dir || isMember(patterns, below(p.App.Dir, dir))) {
			p.Workspace = Member{dir, at}
			p.Members, err = members(root, dir, patterns)
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

// below returns a folder's path relative to one above it.
func below(dir, above string) string {
	if above == "." {
		return dir
	}
	return strings.TrimPrefix(dir, above+"/")
}

// check refuses settings that mean nothing, which would be ignored otherwise.
func (p *Project) check() error {
	for name, want := range map[string]string{"health": "a path such as \"/healthz\"", "packageManager": "a text such as \"npm@11.0.0\""} {
		if field := p.App.Package.raw[name]; field != nil && string(field) != "null" && word(field) == "" && string(field) != `""` {
			return failure("%s in package.json is %.100s; want %s", name, field, want)
		}
	}
	if field := object(p.App.Package.raw["webhooks"])["static"]; field != nil && word(field) == "" {
		return failure("webhooks.static in package.json is %.100s; want the path of a folder such as \"dist\"", field)
	}
	if dir := p.App.Package.Static; dir != "" && !fs.ValidPath(path.Clean(dir)) {
		return failure("webhooks.static in package.json is %.100q, which is not a folder of the app", dir)
	}
	if field := string(object(p.App.Package.raw["webhooks"])["sticky"]); field != "" && field != "true" && field != "false" {
		return failure("webhooks.sticky in package.json is %.100s; want true or false", field)
	}
	if field := object(p.App.Package.raw["webhooks"])["switch"]; field != nil && word(field) != stopFirst {
		return failure("webhooks.switch in package.json is %.100s; want %q, or leave it out", field, stopFirst)
	}
	return nil
}
