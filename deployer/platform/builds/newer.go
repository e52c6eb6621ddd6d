package builds

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// Limits of the dependencies that are asked for their Node.js.
const (
	maxDirect   = 500
	maxManifest = 1 << 20 // bytes of the package.json of a dependency
)

// otherNode chooses another Node.js for an app that asks for none, if what it depends on
// does not support the one that installed it, or failed to: the server's own may be an old
// one, or too new for what is compiled. It returns true if the dependencies have to be installed again.
func (g *building) otherNode(ctx context.Context) (bool, error) {
	asked := g.project.Node
	if asked.Text != "" || g.chosen {
		return false, nil
	}
	g.chosen = true
	names, ranges := g.unsupported()
	if len(names) == 0 {
		return false, nil
	}
	why := fmt.Sprintf("%s asks for Node.js %q", names[0], ranges[0])
	for _, text := range ranges {
		r, err := npmsemver.ParseRange(text)
		if err != nil {
			return false, nil //nolint:nilerr // unsupported has read it
		}
		asked = asked.And(r)
	}
	other, err := g.Builder.node(ctx, g.tools, asked, g.out)
	if ctx.Err() != nil {
		return false, err
	}
	if err != nil { // it may work all the same
		g.out.say("Note: %s, and no release in long-term support that all dependencies support is available; name one in engines.node of package.json", why)
		return false, nil
	}
	g.out.say("Using Node.js %s, as %s; to choose another one, name it in engines.node of package.json", other.version, why)
	g.node = other
	if g.manager, err = g.Builder.manager(ctx, g.tools, g.node, g.project.Manager, g.out); err != nil {
		return false, err
	}
	for _, dir := range g.moduleFolders() {
		if err := g.remove(dir); err != nil {
			return false, err
		}
	}
	g.restored = false
	return true, nil
}

// moduleFolders returns the folders of dependencies.
func (g *building) moduleFolders() []string {
	dirs := []string{path.Join(g.project.App.Dir, modules), path.Join(g.project.Workspace.Dir, modules)}
	for _, m := range g.project.Members {
		dirs = append(dirs, path.Join(m.Dir, modules))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// supported is what is read of the package.json of a dependency.
type supported struct {
	Engines struct{ Node string }
}

// locked returns the packages in the lockfile of npm, by their folders.
func (g *building) locked(root *os.Root) map[string]supported {
	text, err := readFile(root, path.Join(g.project.Workspace.Dir, g.manager.Lockfile), maxLock)
	var lock struct {
		Packages map[string]json.RawMessage
	}
	if err != nil || g.manager.Name != project.Npm || json.Unmarshal(text, &lock) != nil {
		return nil
	}
	found := map[string]supported{}
	for at, text := range lock.Packages {
		var fields supported
		if json.Unmarshal(text, &fields) == nil { // old packages have lists
			found[at] = fields
		}
	}
	return found
}

// unsupported returns the app's own dependencies that do not support the Node.js that is
// used, with the versions that they support.
func (g *building) unsupported() (names, ranges []string) {
	root, err := os.OpenRoot(g.Dir)
	if err != nil {
		return nil, nil
	}
	defer root.Close() //nolint:errcheck // only read
	all := maps.Clone(g.project.App.Package.Dependencies)
	if g.plan.Full {
		maps.Copy(all, g.project.App.Package.DevDependencies)
	}
	locked := g.locked(root)
	sorted := slices.Sorted(maps.Keys(all))
	for _, name := range sorted[:min(len(sorted), maxDirect)] {
		text, err := readFile(root, path.Join(g.project.App.Dir, modules, name, "package.json"), maxManifest)
		if err != nil {
			text, err = readFile(root, path.Join(g.project.Workspace.Dir, modules, name, "package.json"), maxManifest)
		}
		var fields supported
		if err != nil {
			fields = locked[modules+"/"+name] // npm leaves nothing of an install that failed
		} else if json.Unmarshal(text, &fields) != nil {
			continue
		}
		if fields.Engines.Node == "" {
			continue
		}
		if r, err := npmsemver.ParseRange(fields.Engines.Node); err == nil && !r.Contains(g.node.version) {
			names, ranges = append(names, name), append(ranges, fields.Engines.Node)
		}
	}
	return names, ranges
}
