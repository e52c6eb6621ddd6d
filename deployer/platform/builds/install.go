package builds

import (
	"context"
	"errors"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// install installs the dependencies, or reuses those of an earlier build that
// asked for the same.
func (g *building) install(ctx context.Context, reuse bool) error {
	key, ok := "", false
	if g.Dependencies != "" && reuse {
		key, ok = g.key()
		ok = ok && !g.Dependencies.Refused(key)
	}
	if ok {
		scripts, found, err := g.Dependencies.Restore(key, g.Dir, g.Credential)
		if err != nil {
			g.o.Logger.WarnContext(ctx, "dependencies of an earlier build not reused", "dir", g.Dir, "error", err)
			_ = g.Dependencies.Drop(key) // installing anew does as well
		}
		if found && err == nil {
			g.restored = true
			g.out.say("Reusing the dependencies of an earlier build, as %s is the same", g.manager.Lockfile)
			return g.runScripts(ctx, scripts)
		}
	}
	which := "the dependencies"
	if g.plan.Full {
		which = "all dependencies"
	}
	g.out.say("Installing %s: %s %s", which, g.manager.Name, strings.Join(g.plan.Install[:1], " "))
	if err := g.managed(ctx, g.project.Workspace.Dir, g.plan.Install); err != nil {
		return err
	}
	if !ok {
		return nil
	}
	if err := g.Dependencies.Save(key, g.Dir, g.places(), g.Credential); err != nil {
		g.o.Logger.WarnContext(ctx, "dependencies not kept for later builds", "dir", g.Dir, "error", err)
		if errors.Is(err, depcache.ErrLost) {
			return g.managed(ctx, g.project.Workspace.Dir, g.plan.Install)
		}
		return nil
	}
	g.restored = true
	return nil
}

// runScripts runs the install scripts that are to be run in each build: of
// these packages, and the app's own.
func (g *building) runScripts(ctx context.Context, packages []string) error {
	if len(packages) > 0 {
		g.out.say("Running the install scripts of %s", strings.Join(packages, ", "))
		if err := g.rebuild(ctx, packages); err != nil {
			return err
		}
	}
	for _, script := range g.plan.Own {
		if err := g.script(ctx, script); err != nil {
			return err
		}
	}
	return nil
}

// rebuild has the package manager run the install scripts of packages. yarn 1
// can't; npm can, as the folders are the same.
func (g *building) rebuild(ctx context.Context, packages []string) error {
	m := g.manager
	if m.Name == project.Yarn && !m.Berry() {
		m.Name, m.args = project.Npm, []string{g.tools.node, g.tools.npmScript()}
	}
	return g.managedBy(ctx, m, g.project.Workspace.Dir, append([]string{"rebuild"}, packages...))
}
