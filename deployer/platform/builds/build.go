package builds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// building is one build.
type building struct {
	*Builder
	Snapshot
	out      *output
	tools    tools
	project  project.Project
	node     node
	manager  manager
	plan     project.Plan
	env      map[string]string // of the app while it is built
	clean    *redact.Redactor
	restored bool // the dependencies are those of an earlier build
	chosen   bool // the dependencies were asked for their Node.js
}

func (b *Builder) build(ctx context.Context, s Snapshot, out *output) (Result, error) {
	g := &building{Builder: b, Snapshot: s, out: out}
	for _, step := range []func(context.Context) error{g.unpack, g.choose, g.prepare, g.make} {
		if err := step(ctx); err != nil {
			return Result{}, err
		}
	}
	return g.finish(ctx)
}

func (g *building) unpack(ctx context.Context) (err error) {
	if g.tools, err = g.Builder.tools(); err != nil {
		return err
	}
	if err := fresh(g.Snapshot); err != nil {
		return err
	}
	g.out.say("Unpacking the snapshot")
	leftOut, err := unpack(ctx, g.Tgz, g.Dir, g.o, g.Credential)
	if err != nil {
		return err
	}
	for _, o := range leftOut {
		g.out.say("%q was left out: %s", o.Name, o.Reason)
	}
	return nil
}

// choose reads the project and chooses Node.js, the package manager and the
// plan. Each choice is a line of the output.
func (g *building) choose(ctx context.Context) (err error) {
	if g.project, err = project.Read(g.Dir, g.Root); err != nil {
		return err
	}
	if g.node, err = g.Builder.node(ctx, g.tools, g.project.Node, g.out); err != nil {
		return err
	}
	if g.project.Node.Text == "" {
		g.out.say("Using Node.js %s", g.node.version)
	} else {
		g.out.say("Using Node.js %s, as %s is %q", g.node.version, g.project.Node.Source, g.project.Node.Text)
	}
	for _, note := range g.project.Notes {
		g.out.say("Note: %s", note)
	}
	g.env = g.environment()
	g.clean = g.secrets()
	if plan := g.project.Plan(g.env); plan.Install == nil && len(plan.Before)+len(plan.Build)+len(plan.After) == 0 {
		g.manager.Manager = g.project.Manager
		g.out.say("There are no dependencies to install, and there is no build script")
		return nil
	}
	if g.manager, err = g.Builder.manager(ctx, g.tools, g.node, g.project.Manager, g.out); err != nil {
		return err
	}
	g.project.Manager = g.manager.Manager
	g.plan = g.project.Plan(g.env)
	g.out.say("Using %s %s, as %s", g.manager.Name, g.manager.Version, g.manager.Source)
	for _, note := range g.plan.Notes {
		g.out.say("Note: %s", note)
	}
	return nil
}

// keptOut are variables that an app's environment can't set for its build.
var keptOut = []string{"PATH", "HOME", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH", "GIT_DIR", "NODE", "YARN_PRODUCTION"} //nolint:gochecknoglobals // a table

// environment returns the app's environment during the build: the variables set by
// its user, overridden by those of package.json.
func (g *building) environment() map[string]string {
	env := maps.Clone(g.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, g.project.App.Package.Env)
	maps.DeleteFunc(env, func(name, value string) bool {
		return name == "" || slices.Contains(keptOut, name) || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00")
	})
	return env
}

// prepare runs the scripts of the plan that come before the installation.
func (g *building) prepare(ctx context.Context) error {
	if g.plan.Install == nil {
		return nil
	}
	for _, script := range g.plan.Before {
		if err := g.script(ctx, script); err != nil {
			return err
		}
	}
	return nil
}

// make installs the dependencies and builds the app.
func (g *building) make(ctx context.Context) error {
	if err := g.installAndBuild(ctx, true); err == nil || !g.restored || !g.out.denied() {
		return err
	}
	// Reused dependencies are read-only, and a script has tried to change them.
	g.restored = false
	if key, ok := g.key(ctx); ok {
		if err := g.Dependencies.Refuse(key); err != nil {
			g.o.Logger.WarnContext(ctx, "marking dependencies as refused failed", "dir", g.Dir, "error", err)
		}
	}
	g.out.say("A script has tried to change the dependencies of an earlier build, which are read-only: installing them again")
	return g.installAndBuild(ctx, false)
}

func (g *building) installAndBuild(ctx context.Context, reuse bool) error {
	if g.plan.Install != nil {
		installed := g.install(ctx, reuse)
		if _, again := core.Retryable(installed); again || ctx.Err() != nil {
			return installed
		}
		if again, err := g.otherNode(ctx); err != nil {
			return errors.Join(installed, err)
		} else if again {
			return g.installAndBuild(ctx, reuse)
		}
		if installed != nil {
			return installed
		}
	}
	g.restoreCaches(ctx)
	for _, script := range g.plan.Build {
		if err := g.script(ctx, script); err != nil {
			return err
		}
	}
	return nil
}

// finish determines how the app is started, and removes what only the build
// needed.
func (g *building) finish(ctx context.Context) (Result, error) {
	start, err := g.project.Start(g.Dir)
	if err != nil {
		return Result{}, err
	}
	for _, note := range start.Notes {
		g.out.say("Note: %s", note)
	}
	result := Result{
		Dir: filepath.Join(g.Dir, g.project.App.Dir), Node: g.node.path, NodeVersion: g.node.version.String(),
		Web: start.Web, Processes: start.Processes, Release: start.Release, Fallback: start.Fallback, Health: g.project.App.Package.Health, Sticky: g.project.App.Package.Sticky, StopFirst: g.project.App.Package.StopFirst, Cron: g.project.App.Package.Cron,
		Env: start.Env, Package: g.project.App.Package.All(),
	}
	maps.Copy(result.Env, g.project.App.Package.Env)
	result.Path = g.path()
	g.saveCaches(ctx)
	if start.Static != "" {
		result.Static, err = g.keepStatic(start.Static)
		if err != nil {
			return Result{}, err
		}
		result.Dir = g.Dir
		g.out.say("The app is a static site, as there is %s", start.Source)
		return result, nil
	}
	if err := g.project.CheckLocal(g.Dir); err != nil {
		return Result{}, err
	}
	if start.KeepDev {
		g.plan.Prune = nil
	}
	if err := g.prune(ctx); err != nil {
		return Result{}, err
	}
	switch {
	case start.Web != "":
		g.out.say("The app is started by %s: %.200s", start.Source, start.Web)
	case len(start.Processes) == 0:
		g.out.say("Note: there is nothing to start: no web in a Procfile, no scripts.start, no server.js, no main and no index.html")
	}
	for _, name := range slices.Sorted(maps.Keys(start.Processes)) {
		g.out.say("The process %s is started by: %.200s", name, start.Processes[name])
	}
	for _, job := range result.Cron {
		g.out.say("By the clock (UTC) %s: %.200s", job.Schedule, job.Command)
	}
	return result, nil
}

// path returns the folders that are added to the PATH of the app's commands.
func (g *building) path() []string {
	path := []string{}
	for _, dir := range []string{g.project.App.Dir, g.project.Workspace.Dir} {
		bin := filepath.Join(g.Dir, dir, "node_modules", ".bin")
		if !slices.Contains(path, bin) {
			path = append(path, bin)
		}
	}
	if g.manager.bin != "" {
		path = append(path, g.manager.bin)
	}
	return path
}

// prune removes what only the build needed.
func (g *building) prune(ctx context.Context) error {
	if g.plan.Prune != nil {
		g.out.say("Removing what only the build needs: %s %s", g.manager.Name, strings.Join(verb(g.plan.Prune), " "))
		for _, dir := range g.plan.Remove {
			if err := g.remove(dir); err != nil {
				return err
			}
		}
		if err := g.managed(ctx, g.project.Workspace.Dir, g.plan.Prune); err != nil {
			return err
		}
		if g.manager.PnP {
			if err := g.removeUnlisted(); err != nil {
				return err
			}
		}
	}
	for _, script := range g.plan.After {
		if err := g.script(ctx, script); err != nil {
			return err
		}
	}
	return nil
}

// removeUnlisted removes the packages in yarn's cache that its loader no longer
// lists.
func (g *building) removeUnlisted() error {
	root, err := os.OpenRoot(filepath.Join(g.Dir, g.project.Workspace.Dir))
	if err != nil {
		return fmt.Errorf("builds: %w", err)
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	listed, err := readFile(root, ".pnp.cjs", maxLock)
	if err != nil {
		return nil //nolint:nilerr // then all may be needed
	}
	data, _ := readFile(root, ".pnp.data.json", maxLock) // optional
	entries, err := fs.ReadDir(root.FS(), ".yarn/cache")
	if err != nil {
		return nil //nolint:nilerr // there are no packages
	}
	for _, e := range entries {
		if name := []byte(e.Name()); path.Ext(e.Name()) == ".zip" && !bytes.Contains(listed, name) && !bytes.Contains(data, name) {
			if err := root.Remove(path.Join(".yarn/cache", e.Name())); err != nil {
				return fmt.Errorf("builds: removing %s: %w", e.Name(), err)
			}
		}
	}
	return nil
}

// remove removes a folder of the app without following links out of it.
func (g *building) remove(name string) error {
	root, err := os.OpenRoot(g.Dir)
	if err != nil {
		return fmt.Errorf("builds: %w", err)
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	if err := root.RemoveAll(name); err != nil {
		return fmt.Errorf("builds: removing %s: %w", name, err)
	}
	return nil
}

func (g *building) script(ctx context.Context, s project.Script) error {
	g.out.say("Running the %s: %s %s", s.Say, g.manager.Name, strings.Join(s.Args, " "))
	return g.managed(ctx, s.Dir, s.Args)
}

// managed runs the package manager in a folder of the app.
func (g *building) managed(ctx context.Context, dir string, args []string) error {
	return g.managedBy(ctx, g.manager, dir, args)
}

func (g *building) managedBy(ctx context.Context, m manager, dir string, args []string) error {
	env := g.headers()
	maps.Copy(env, g.plan.Env)
	maps.Copy(env, g.env)
	out := redact.NewWriter(g.out, g.clean)
	g.out.begin()
	err := g.run(ctx, command{
		args: append(slices.Clone(m.args), args...), dir: filepath.Join(g.Dir, dir), app: g.Dir, env: env,
		path: append([]string{filepath.Dir(g.node.path)}, g.manager.bin),
		home: g.Home, as: g.Credential, metered: true, stdout: out, stderr: out,
	})
	_ = out.Flush() // g.out never fails
	if err == nil || ctx.Err() != nil {
		return err
	}
	exit, exited := errors.AsType[*exec.ExitError](err)
	if _, explained := errors.AsType[*core.Error](err); explained || !exited {
		return err // such as that it had no more memory
	}
	return explain(m.Name+" "+strings.Join(verb(args), " "), exit, g.out.lines())
}

// verb returns the arguments that name a package manager's command.
func verb(args []string) []string {
	if len(args) > 1 && (args[0] == "run" || args[0] == "workspaces" || args[0] == "exec") {
		return args[:2]
	}
	return args[:1]
}

// failed returns an error that the app's author can fix.
func failed(format string, args ...any) *core.Error {
	return core.Errorf(core.CodePlatformBuildFailed, format, args...)
}
