package processes

import (
	"cmp"
	"crypto/rand"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// systemPath is the PATH of the system's programs.
const systemPath = "/usr/local/bin:/usr/bin:/bin"

// expendable executes the command with the highest OOM score
// (proc_pid_oom_score_adj(5)), so that if the machine runs out of memory the
// kernel kills apps before the server or other programs.
const expendable = `{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
exec "$@"`

// arguments returns the arguments that run a shell command, or a file for Node.js,
// within the limits.
func arguments(o Options, v runner.Version, text string, limits group.Limits, ownUser bool) []string {
	limits.Files, limits.Memory, limits.Private = o.Files, startup.DataLimit(limits.Memory, v.NodeVersion), true
	if !ownUser {
		limits.Processes = 0
	}
	args := append([]string{"/bin/sh", "-c", expendable, "expendable"}, startup.Args(v.Dir, v.Node, text)...)
	return limits.Wrap(args...)
}

// environ returns the environment of a drone or a command, with its port unless
// that is 0. It contains nothing of the server's environment.
func environ(v runner.Version, limits group.Limits, port int, own folders) []string {
	env := map[string]string{"NODE_ENV": "production", "LANG": "C.UTF-8"}
	maps.Copy(env, v.Env)
	if delete(env, "PORT"); port != 0 {
		env["PORT"] = strconv.Itoa(port)
	}
	env["SUBDOMAIN"] = v.Subdomain
	env["HOME"], env["DATA_DIR"] = own.home, own.home
	env["USER"], env["LOGNAME"] = own.user, own.user
	env["TMPDIR"] = own.tmp
	env["NODE_OPTIONS"] = startup.NodeOptions(env["NODE_OPTIONS"], limits.Memory, v.NodeVersion)
	if env["PM2_HOME"] == "" {
		// Drones must not share a daemon, nor must two versions during a switch.
		env["PM2_HOME"] = filepath.Join(own.tmp, "pm2-"+cmp.Or(env["PORT"], rand.Text()))
	}
	env["PATH"] = strings.Join(slices.Concat([]string{filepath.Dir(v.Node)}, v.Path, []string{systemPath}), ":")
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}
