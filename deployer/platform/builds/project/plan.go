package project

import (
	"fmt"
	"slices"
	"strings"
)

// Plan is what is done to build an app. It follows from a [Project] alone.
type Plan struct {
	Full    bool     // development dependencies are there while it is built
	Before  []Script // before the dependencies are installed
	Install []string // arguments of the package manager; nil if there is nothing to install
	Own     []Script // what the install runs of the app's own, to be run without it if dependencies are reused
	Build   []Script
	Remove  []string          // folders that go before pruning
	Prune   []string          // arguments of the package manager that remove what only the build needs; nil if nothing does
	After   []Script          // after that
	Env     map[string]string // settings of the package manager
	Notes   []string          // what is not done
}

// Script is a script of a package.json to be run, or a program of its
// dependencies.
type Script struct {
	Dir  string   // where
	Name string   // of the script
	Args []string // of the package manager
	Say  string   // what it is
}

// The scripts of an app's own that package managers run when they install its
// dependencies (docs.npmjs.com, "scripts").
var lifecycle = []string{ //nolint:gochecknoglobals // a table
	"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
}

// Plan returns the plan, for a package manager of which the version is known.
// env is what the app's environment has while it is built.
func (p Project) Plan(env map[string]string) Plan {
	plan := Plan{Env: p.Manager.settings()}
	if p.depends(adapterAuto) {
		// By this it finds that it is built for Google Cloud Run, and uses
		// adapter-node (kit.svelte.dev, "Zero-config deployments").
		plan.Env["GCP_BUILDPACKS"] = "true"
		plan.Notes = append(plan.Notes, "SvelteKit's adapter-auto makes a server with @sveltejs/adapter-node, as if for Google Cloud Run")
	}
	plan.Before = p.scripts("heroku-prebuild", "pre-build script")
	plan.Build = p.build()
	own, dev := p.lifecycleScripts(), p.hasDev()
	keep := keepsDev(env)
	plan.Full = dev && (keep || len(plan.Build) > 0 || len(plan.Before) > 0 || len(own) > 0 || p.Manager.Berry() || p.startsDev())
	if len(own) > 0 || p.hasDependencies() || plan.Full || p.Native || len(p.Members) > 0 {
		plan.Install = p.Manager.install(plan.Full)
	}
	for _, name := range own {
		if name == "preinstall" || p.Workspace.Package.Script(name) == "" || p.Manager.Berry() && name != "install" && name != "postinstall" {
			continue
		}
		plan.Own = append(plan.Own, p.script(p.Workspace, name, "install script"))
	}
	plan.After = p.scripts("heroku-cleanup", "clean-up script")
	switch {
	case !plan.Full:
	case keep:
		plan.Notes = append(plan.Notes, "What only the build needs is kept, as the app's environment says so")
	default:
		p.prune(&plan, own)
	}
	return plan
}

// keepsDev reports whether the environment asks to keep development
// dependencies, in one of the ways that Heroku has for it.
func keepsDev(env map[string]string) bool {
	for _, name := range []string{"NPM_CONFIG_PRODUCTION", "YARN_PRODUCTION"} {
		if strings.EqualFold(env[name], "false") {
			return true
		}
	}
	return env["YARN2_SKIP_PRUNING"] == "true" || env["PNPM_SKIP_PRUNING"] == "true"
}

// packages returns every package that is installed for: the app, its
// workspace and the members of that.
func (p Project) packages() []Package {
	all := []Package{p.App.Package, p.Workspace.Package}
	for _, m := range p.Members {
		all = append(all, m.Package)
	}
	return all
}

func (p Project) hasDev() bool {
	return slices.ContainsFunc(p.packages(), func(p Package) bool { return len(p.DevDependencies) > 0 })
}

func (p Project) hasDependencies() bool {
	return slices.ContainsFunc(p.packages(), func(p Package) bool { return len(p.Dependencies) > 0 })
}

// lifecycleScripts returns the names of the scripts that an install runs of the
// app's own.
func (p Project) lifecycleScripts() []string {
	var own []string
	for _, name := range lifecycle {
		if slices.ContainsFunc(p.packages(), func(p Package) bool { return p.Script(name) != "" }) {
			own = append(own, name)
		}
	}
	return own
}

// scripts returns the app's script of that name, if there is one.
func (p Project) scripts(name, say string) []Script {
	if p.App.Package.Script(name) == "" {
		return nil
	}
	return []Script{p.script(p.App, name, say)}
}

// Lifecycle returns the scripts that an install runs of the package's own.
func (p Package) Lifecycle() map[string]string {
	found := map[string]string{}
	for _, name := range lifecycle {
		if text := p.Script(name); text != "" {
			found[name] = text
		}
	}
	return found
}

func (p Project) script(m Member, name, say string) Script {
	return Script{Dir: m.Dir, Name: name, Args: []string{"run", name}, Say: say}
}

// build returns the scripts that build the app. Heroku's heroku-postbuild is
// for an app that is to be built there in another way than elsewhere.
func (p Project) build() []Script {
	if found := p.scripts("heroku-postbuild", "build script"); found != nil {
		return found
	}
	if p.App.Dir != p.Workspace.Dir && p.Turbo && p.App.Package.Script("build") != "" {
		return []Script{p.turbo()}
	}
	var found []Script
	needed := []Member{p.App}
	if p.App.Dir != p.Workspace.Dir {
		needed = closure(p.App, p.Members)
	}
	for _, m := range needed {
		if m.Package.Script("build") == "" {
			continue
		}
		say := "build script"
		if m.Dir != p.App.Dir {
			say += " of " + m.Dir
		}
		found = append(found, p.script(m, "build", say))
	}
	return found
}

// turbo has Turborepo build the app and what it depends on.
func (p Project) turbo() Script {
	filter := p.App.Package.Name
	if filter == "" {
		filter = "./" + below(p.App.Dir, p.Workspace.Dir)
	}
	args := []string{"turbo", "run", "build", "--filter=" + filter}
	switch p.Manager.Name {
	case Npm:
		args = append([]string{"exec", "--no", "--"}, args...)
	case Pnpm:
		args = append([]string{"exec"}, args...)
	default:
		args = append([]string{"run"}, args...)
	}
	return Script{Dir: p.Workspace.Dir, Name: "build", Args: args, Say: "build script by Turborepo"}
}

// settings returns the package manager's own settings, as its environment.
func (m Manager) settings() map[string]string {
	switch {
	case m.Name == Npm:
		return map[string]string{
			"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false", "npm_config_progress": "false",
		}
	case m.Berry():
		s := map[string]string{
			"YARN_ENABLE_TELEMETRY": "0", "YARN_ENABLE_PROGRESS_BARS": "0", "YARN_ENABLE_COLORS": "0", "YARN_ENABLE_HYPERLINKS": "0", "YARN_ENABLE_INLINE_BUILDS": "1",
		}
		if m.allScripts() {
			s["YARN_ENABLE_SCRIPTS"] = "1"
		}
		if m.PnP {
			s["YARN_ENABLE_GLOBAL_CACHE"] = "false" // what the app loads at run time is in its own folder
		}
		return s
	case m.Name == Pnpm:
		prefix := "npm_config_"
		if m.Major >= 11 {
			prefix = "pnpm_config_"
		}
		s := map[string]string{
			prefix + "manage_package_manager_versions": "false", prefix + "update_notifier": "false",
			// The folder of one version must not change with that of another.
			prefix + "package_import_method": "copy",
		}
		if m.Major >= 11 {
			s[prefix+"verify_deps_before_run"] = "false"
			s[prefix+"pm_on_fail"] = "ignore" // this is the version that packageManager asks for
		}
		if m.allScripts() {
			s[prefix+"dangerously_allow_all_builds"] = "true"
		}
		return s
	}
	return map[string]string{}
}

// allScripts reports whether the package manager must be configured to run the
// scripts of all dependencies. New versions run only scripts that are listed; a
// repository with neither a version nor such a list may have been made for an older
// version, which runs all.
func (m Manager) allScripts() bool {
	return !m.Pinned && !m.Scripts && (m.Berry() || m.Name == Pnpm && m.Major == 10)
}

// install returns the arguments that install dependencies by the lockfile, if
// there is one: those for development too, or for production alone.
func (m Manager) install(full bool) []string {
	switch {
	case m.Name == Npm:
		verb := "install"
		if m.Lockfile != "" {
			verb = "ci"
		}
		return []string{verb, m.npmFlag(full), "--prefer-offline"}
	case m.Berry():
		if m.Lockfile == "" {
			return []string{"install", "--no-immutable"}
		}
		return []string{"install", "--immutable"}
	case m.Name == Yarn:
		args := []string{"install", "--production=" + fmt.Sprint(!full), "--ignore-engines", "--prefer-offline", "--non-interactive", "--no-progress"}
		if m.Lockfile != "" {
			args = append(args, "--frozen-lockfile")
		}
		return args
	}
	args := []string{"install", "--prefer-offline", "--prod=" + fmt.Sprint(!full)}
	if m.Lockfile == "" {
		return append(args, "--no-frozen-lockfile")
	}
	return append(args, "--frozen-lockfile")
}

// npmFlag says which dependencies npm installs, or keeps.
func (m Manager) npmFlag(full bool) string {
	switch {
	case m.Major < 7:
		return "--production=" + fmt.Sprint(!full)
	case full:
		return "--include=dev"
	}
	return "--omit=dev"
}

// prune says what removes the development dependencies. own are the scripts
// that an install would run.
func (p Project) prune(plan *Plan, own []string) {
	m := p.Manager
	switch {
	case m.Name == Npm:
		plan.Prune = []string{"prune", m.npmFlag(false), "--ignore-scripts"}
	case m.Berry() && m.CanFocus:
		plan.Prune = []string{"workspaces", "focus", "--production", "--all"}
	case m.Berry():
		plan.Notes = append(plan.Notes, "What only the build needs is kept, as this yarn can't remove it without its plugin workspace-tools")
	case m.Name == Yarn:
		plan.Prune = append(m.install(false), "--ignore-scripts")
	case len(p.Members) == 0:
		plan.Prune = []string{"prune", "--prod", "--ignore-scripts"}
	case len(own) > 0:
		plan.Notes = append(plan.Notes, fmt.Sprintf("What only the build needs is kept, as pnpm would run %s again to remove it from a workspace", strings.Join(own, ", ")))
	default:
		plan.Remove = []string{p.Workspace.Dir + "/node_modules"}
		for _, member := range p.Members {
			plan.Remove = append(plan.Remove, member.Dir+"/node_modules")
		}
		plan.Prune = append(m.install(false), "--offline")
	}
}
