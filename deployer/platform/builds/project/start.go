package project

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Start is how a built app is started.
type Start struct {
	Web       string            // shell command of the process that serves; "" if none does
	Processes map[string]string // commands of the others, by name
	Release   string            // command that runs once before the switch; "" if none does
	Static    string            // folder of a static site, below the app's; "" if it is not a static site
	Fallback  string            // file in it that answers unknown paths; "" for none
	Env       map[string]string // what npm would set for the command
	Source    string            // where Web is from
	KeepDev   bool              // the app needs development dependencies
	Notes     []string
}

// starts are commands that run scripts.start by a package manager, which is not
// needed as the parent of the app's process.
var starts = []string{"npm start", "npm run start", "yarn start", "yarn run start", "pnpm start", "pnpm run start"} //nolint:gochecknoglobals // a table

// server is a file that a framework's build makes, which serves.
type server struct{ file, of string }

// adapterAuto is the adapter of SvelteKit's templates, which installs the one for the
// platform that it finds itself on.
const adapterAuto = "@sveltejs/adapter-auto"

// servers are the files that builds of frameworks make, whose templates have no
// scripts.start. If of is set, only that dependency makes it.
var servers = []server{ //nolint:gochecknoglobals // a table
	{".output/server/index.mjs", ""}, // Nitro, which Nuxt, SolidStart and TanStack Start use
	{"dist/server/entry.mjs", "@astrojs/node"},
	{"build/index.js", "@sveltejs/adapter-node"},
	{"build/index.js", adapterAuto},
}

// unserved are dependencies whose builds can't be started, and what to do.
var unserved = []struct{ of, do string }{ //nolint:gochecknoglobals // a table
	{"@tanstack/react-start", "TanStack Start made no server: add the plugin nitro() of the package nitro to vite.config"},
	{"@tanstack/solid-start", "TanStack Start made no server: add the plugin nitro() of the package nitro to vite.config"},
	{adapterAuto, "SvelteKit's adapter-auto made no server: use @sveltejs/adapter-node"},
	{"vite", "if Vite builds a site, add a build script that runs \"vite build\""},
}

// depends reports whether the app has a dependency, for development or not.
func (p Project) depends(name string) bool {
	pkg := p.App.Package
	return pkg.Dependencies[name] != "" || pkg.DevDependencies[name] != ""
}

// Start returns how the app that was built in the folder dir is started: by
// the Procfile's web, else scripts.start, else server.js, else main. An app
// without any of them that has an index.html is a static site. If the Procfile has
// other processes but no web, one of these may be all that the app has.
func (p Project) Start(dir string) (Start, error) {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return Start{}, fmt.Errorf("project: opening the folder: %w", err)
	}
	defer top.Close() //nolint:errcheck // only read
	root, err := top.OpenRoot(p.App.Dir)
	if err != nil {
		return Start{}, fmt.Errorf("project: opening the app's folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	s := Start{Env: p.environment(filepath.Join(dir, p.App.Dir)), Fallback: p.App.Package.Fallback}
	if static := path.Clean(p.App.Package.Static); p.App.Package.Static != "" {
		if info, err := root.Stat(static); err != nil || !info.IsDir() {
			return Start{}, failure("webhooks.static in package.json is %.100q, but there is no such folder after the build", p.App.Package.Static)
		}
		s.Static, s.Source = static, "webhooks.static in package.json"
	}
	p.processes(&s)
	web := p.Procfile["web"]
	switch {
	case s.Static != "":
	case web != "" && !slices.Contains(starts, strings.Join(strings.Fields(web), " ")):
		s.Web, s.Source = web, "web in the Procfile"
	case p.App.Package.Script("start") != "":
		if !p.insteadOfDevServer(root, &s) {
			p.startScript(root, &s)
		}
	default:
		p.file(root, &s)
	}
	if s.Web == "" && s.Static == "" && len(s.Processes) == 0 {
		for _, u := range unserved {
			if p.depends(u.of) {
				return Start{}, failure("there is nothing to start: %s", u.do)
			}
		}
		if main := p.App.Package.Main; main != "" {
			return Start{}, failure("there is nothing to start: main in package.json is %.200q, and there is no such file after the build; correct it, or add scripts.start", main)
		}
	}
	p.keepDev(top, &s)
	p.keepImported(top, &s)
	s.dropTwin(p)
	return s, nil
}

// dropTwin drops a web process that the Procfile does not name, if it runs the same
// command as one of the others: the app has a worker that does not listen.
func (s *Start) dropTwin(p Project) {
	if s.Web == "" || p.Procfile["web"] != "" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Processes)) {
		command := strings.Join(strings.Fields(s.Processes[name]), " ")
		if slices.Contains(starts, command) {
			s.Processes[name] = s.Web // with prestart, as the package manager runs it
		}
		if s.Processes[name] == s.Web || command == p.App.Package.Script("start") {
			s.Notes = append(s.Notes, fmt.Sprintf("No process serves requests: the Procfile has no web, and %s runs the same as %s", name, s.Source))
			s.Web, s.Source = "", "the Procfile"
			return
		}
	}
}

// processes notes the other processes of the Procfile.
func (p Project) processes(s *Start) {
	s.Release = p.Procfile["release"]
	for name, command := range p.Procfile {
		if name == "web" || name == "release" {
			continue
		}
		if s.Processes == nil {
			s.Processes = map[string]string{}
		}
		s.Processes[name] = command
	}
}

// startScript has scripts.start started as `npm start` does it, with prestart before
// it, and nothing after it, as it does not end.
func (p Project) startScript(root *os.Root, s *Start) {
	pkg := p.App.Package
	s.Web, s.Source = pkg.Script("start"), "scripts.start"
	if isScript(root, s.Web) {
		s.Web = "node " + s.Web
	}
	s.Env["npm_lifecycle_event"], s.Env["npm_lifecycle_script"] = "start", s.Web
	if p.Manager.PnP {
		s.Web = "yarn run start"
	}
	if before := pkg.Script("prestart"); before != "" {
		run := fmt.Sprintf("npm_lifecycle_event=prestart npm_lifecycle_script=%[1]s sh -c %[1]s", quoted(before))
		if p.Manager.PnP {
			run = "yarn run prestart"
		}
		s.Web = run + " && exec sh -c " + quoted(s.Web)
		s.Source = "scripts.prestart and scripts.start"
	}
	if pkg.Script("poststart") != "" {
		s.Notes = append(s.Notes, "scripts.poststart is not run, as an app that serves does not end")
	}
}

// file has a file started, or a folder served.
func (p Project) file(root *os.Root, s *Start) {
	run := p.node()
	main := path.Clean(strings.TrimPrefix(p.App.Package.Main, "./"))
	for _, name := range []string{"server.js", main, main + ".js", main + "/index.js"} {
		if isPlain(name) && isFile(root, name) {
			s.Web, s.Source = run+name, name
			return
		}
	}
	if p.built(root, s) || len(s.Processes) > 0 {
		return
	}
	// What old apps rely on.
	for _, name := range []string{"app.js", "index.js"} {
		if isFile(root, name) {
			s.Web, s.Source = run+name, name
			return
		}
	}
}

// node returns the beginning of a command that runs a file.
func (p Project) node() string {
	if p.Manager.PnP {
		return "yarn node "
	}
	return "node "
}

// built has the server started that a framework's build made, or the site served. It
// returns false if there is neither.
func (p Project) built(root *os.Root, s *Start) bool {
	angular := path.Join("dist", path.Base(p.App.Package.Name)) // of its project, which is named like the package
	all := servers
	if isPlain(angular) {
		all = append(slices.Clone(all), server{path.Join(angular, "server/server.mjs"), "@angular/ssr"})
	}
	for _, server := range all {
		if isFile(root, server.file) && (server.of == "" || p.depends(server.of)) {
			s.Web, s.Source = p.node()+server.file, server.file
			return true
		}
	}
	if len(s.Processes) > 0 {
		return false
	}
	sites := []string{".", "dist", "build", "out", "_site", ".output/public", "public"}
	if len(p.build()) > 0 {
		sites = append(sites[1:], ".") // the index.html at the root may be what the build reads
	}
	if p.depends("@angular/core") {
		sites = append([]string{path.Join(angular, "browser"), angular}, sites...)
	}
	for _, name := range sites {
		if isFile(root, path.Join(name, "index.html")) {
			s.Static, s.Source = name, path.Join(name, "index.html")
			return true
		}
	}
	return false
}

// devServer matches the commands of development servers. They do not listen on PORT,
// and serve no build.
var devServer = regexp.MustCompile(`^(?:npx )?(?:ng serve|docusaurus start|gatsby develop|vue-cli-service serve|astro (?:dev|start)|vite(?: dev| serve)?|webpack(?:-dev-server| serve| server)|eleventy --serve|parcel(?: serve)?)(?: -[^&|;]*| [^&|; ]+\.html)*$`)

// insteadOfDevServer has what the build made started or served if scripts.start runs a
// development server. It returns false if it does not, or if nothing was made.
func (p Project) insteadOfDevServer(root *os.Root, s *Start) bool {
	start := p.App.Package.Script("start")
	if p.Procfile["web"] != "" || len(p.build()) == 0 || !devServer.MatchString(strings.Join(strings.Fields(start), " ")) || !p.built(root, s) {
		return false
	}
	s.Notes = append(s.Notes, "scripts.start runs a development server: what the build made is served instead; to start something else, name it as web in a Procfile")
	return true
}

// environment returns the variables that npm sets for the scripts of the app in
// dir (docs.npmjs.com, "scripts", "Environment").
func (p Project) environment(dir string) map[string]string {
	pkg := p.App.Package
	env := map[string]string{
		"npm_package_name": pkg.Name, "npm_package_version": pkg.Version, "npm_package_main": pkg.Main,
		"npm_package_json": filepath.Join(dir, manifestName), "npm_command": "start", "INIT_CWD": dir,
	}
	for name, value := range pkg.Config {
		env["npm_package_config_"+name] = value
	}
	for name, value := range pkg.Engines {
		env["npm_package_engines_"+name] = value
	}
	if p.Manager.Berry() {
		env["YARN_ENABLE_TELEMETRY"] = "0"
	}
	maps.DeleteFunc(env, func(name, value string) bool { return value == "" || strings.ContainsAny(name, "=\x00") })
	return env
}

// quoted returns a text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func isFile(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// isPlain reports whether a shell reads name as one word and node as a path.
func isPlain(name string) bool {
	if !fs.ValidPath(name) || name == "." || name[0] == '-' {
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

// isScript reports whether scripts.start is the path of a file for node, as the
// platform of 2012 had it, rather than a shell command.
func isScript(root *os.Root, start string) bool {
	name := path.Clean(start)
	if !isPlain(name) {
		return false
	}
	switch path.Ext(name) {
	case ".js", ".cjs", ".mjs":
		return true
	}
	if !isFile(root, name) {
		// node finds server.js by the name server; a shell would find nothing.
		return isFile(root, name+".js")
	}
	text, err := readFile(root, name, maxPackage)
	if err != nil || len(text) == 0 {
		return false
	}
	first, _, _ := bytes.Cut(text[:min(len(text), 64)], []byte{'\n'})
	if bytes.HasPrefix(first, []byte("#!")) {
		return bytes.Contains(first, []byte("node"))
	}
	return !bytes.Contains(text[:min(len(text), 64)], []byte{0})
}
