package project

import (
	"cmp"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// startProd is a script that templates such as NestJS's have beside a scripts.start
// that is for development.
const startProd = "start:prod"

// keepDev handles a start command that runs a program of a development dependency,
// which would be removed after the build. If there is a script for production that
// runs none, it is started instead; otherwise KeepDev is set. top is the folder that was
// built.
func (p Project) keepDev(top *os.Root, s *Start) {
	if s.Web == "" || p.Manager.PnP {
		return
	}
	find := func(program string) string { return p.packageOf(top, program) }
	program := p.devProgram(find, s.Web, 0)
	if program == "" {
		return
	}
	prod := p.App.Package.Script(startProd)
	if s.Source == "scripts.start" && prod != "" && p.devProgram(find, prod, 0) == "" {
		s.Notes = append(s.Notes, "scripts.start runs "+program+", which is a development dependency: scripts."+startProd+" is started instead")
		s.Web, s.Source = prod, "scripts."+startProd
		s.Env["npm_lifecycle_event"], s.Env["npm_lifecycle_script"] = startProd, prod
		return
	}
	s.KeepDev = true
	s.Notes = append(s.Notes, "The development dependencies are kept, as the app is started by one of them, "+program)
}

// assignment matches a variable that is set for a command.
var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// runners are the words before a program or the name of a script.
var runners = []string{"npx", "npm exec", "yarn exec", "pnpm exec", "npm run", "yarn run", "pnpm run", "yarn", "pnpm", "exec"} //nolint:gochecknoglobals // a table

// programsOf are the packages of programs that are not named like them.
var programsOf = map[string]string{ //nolint:gochecknoglobals // a table
	"tsc": "typescript", "nest": "@nestjs/cli", "babel-node": "@babel/node", "swc-node": "@swc-node/register",
	"fastify": "fastify-cli", "webpack": "webpack-cli", "ng": "@angular/cli",
}

// startsDev reports whether the app's start command appears to run a program of a
// development dependency. It is called before these are installed, and goes by the
// names of packages.
func (p Project) startsDev() bool {
	pkg := p.App.Package
	find := func(program string) string { return cmp.Or(programsOf[program], program) }
	web := p.Procfile["web"]
	if web == "" {
		web = pkg.Script("prestart") + "\n" + pkg.Script("start")
	}
	return p.devProgram(find, web, 0) != ""
}

// preload matches the options by which node loads a module first.
var preload = regexp.MustCompile(`(?:^| )(?:-r|--require|--import|--loader|--experimental-loader)[ =](@[^/ ]+/[^/ ]+|[^./ @][^/ ]*)`)

// devProgram returns a program of a development dependency that a shell command
// runs, or a script that it runs, or such a dependency that node loads first; "" if
// there is none. find returns the package of a program.
func (p Project) devProgram(find func(program string) string, command string, depth int) string {
	for part := range strings.FieldsFuncSeq(command, func(r rune) bool { return strings.ContainsRune("&|;\n'\"()", r) }) {
		words := strings.Fields(part)
		for len(words) > 0 && (assignment.MatchString(words[0]) || strings.HasPrefix(words[0], "-")) {
			words = words[1:]
		}
		script := false
		for _, runner := range runners {
			if rest, ok := strings.CutPrefix(strings.Join(words, " ")+" ", runner+" "); ok {
				words, script = strings.Fields(rest), !strings.HasSuffix(runner, "exec") && runner != "npx"
				break
			}
		}
		if len(words) == 0 {
			continue
		}
		if text := p.App.Package.Script(words[0]); script && text != "" && depth < 3 {
			if found := p.devProgram(find, text, depth+1); found != "" {
				return found
			}
			continue
		}
		if name := find(words[0]); name != "" && p.onlyDev(name) {
			return words[0]
		}
		if words[0] != "node" {
			continue
		}
		for _, match := range preload.FindAllStringSubmatch(strings.Join(words, " "), -1) {
			if p.onlyDev(match[1]) {
				return match[1]
			}
		}
	}
	return ""
}

// onlyDev reports whether a package is a dependency for development alone.
func (p Project) onlyDev(name string) bool {
	dev := false
	for _, pkg := range []Package{p.App.Package, p.Workspace.Package} {
		if pkg.Dependencies[name] != "" {
			return false
		}
		dev = dev || pkg.DevDependencies[name] != ""
	}
	return dev
}

// target matches the program that the shell script of pnpm or yarn runs.
var target = regexp.MustCompile(`\$basedir/([^"]+)"`)

// packageOf returns the name of the package that a program is of; "" if it is not a
// program of a dependency.
func (p Project) packageOf(top *os.Root, program string) string {
	if !isPlain(program) || strings.Contains(program, "/") {
		return ""
	}
	for _, dir := range slices.Compact([]string{p.App.Dir, p.Workspace.Dir}) {
		bin := path.Join(dir, "node_modules/.bin", program)
		to, err := top.Readlink(bin)
		if err != nil {
			text, err := readFile(top, bin, maxPackage)
			match := target.FindSubmatch(text)
			if err != nil || match == nil {
				continue
			}
			to = string(match[1])
		}
		to = path.Join(path.Dir(bin), to)
		if i := strings.LastIndex(to, "node_modules/"); i >= 0 { // the last one, in the store of pnpm
			scope, rest, _ := strings.Cut(to[i+len("node_modules/"):], "/")
			if !strings.HasPrefix(scope, "@") {
				return scope
			}
			name, _, _ := strings.Cut(rest, "/")
			return scope + "/" + name
		}
	}
	return ""
}
