package builds

import (
	"context"
	"errors"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// install installs the dependencies, or reuses those of an earlier build with the
// same key.
func (g *building) install(ctx context.Context, reuse bool) error {
	key, ok := "", false
	if g.Dependencies != "" && reuse {
		key, ok = g.key(ctx)
		ok = ok && !g.Dependencies.Refused(key)
	}
	if ok {
		scripts, found, err := g.Dependencies.Restore(key, g.Dir, g.Credential)
		if err != nil {
			g.o.Logger.WarnContext(ctx, "restoring dependencies failed", "dir", g.Dir, "error", err)
			_ = g.Dependencies.Drop(key) // they are installed again
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
		g.o.Logger.WarnContext(ctx, "saving dependencies failed", "dir", g.Dir, "error", err)
		if errors.Is(err, depcache.ErrLost) {
			return g.managed(ctx, g.project.Workspace.Dir, g.plan.Install)
		}
		return nil
	}
	g.restored = true
	return nil
}

// runScripts runs the install scripts that must run in each build: those of the
// given packages, and the app's own.
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

// rebuild runs the install scripts of packages with the package manager. yarn 1
// can't do this, so npm is used, as the folders are the same.
func (g *building) rebuild(ctx context.Context, packages []string) error {
	m := g.manager
	if m.Name == project.Yarn && !m.Berry() {
		m.Name, m.args = project.Npm, []string{g.tools.node, g.tools.npmScript()}
	}
	return g.managedBy(ctx, m, g.project.Workspace.Dir, append([]string{"rebuild"}, packages...))
}
