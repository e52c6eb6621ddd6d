package processes

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
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
	limits.Files, limits.Memory, limits.Private = o.Files, dataLimit(limits.Memory), true
	if !ownUser {
		limits.Processes = 0
	}
	args := []string{"/bin/sh", "-c", replaced(text)}
	if start := strings.TrimSpace(text); isScript(v.Dir, start) {
		args = []string{v.Node, start}
	}
	return limits.Wrap(append([]string{"/bin/sh", "-c", expendable, "expendable"}, args...)...)
}

// shellWords are the shell's builtins and keywords, which can't follow exec.
const shellWords = ` . : ! [ alias bg break builtin case cd command continue do done elif else esac eval
	exec exit export false fg fi for getopts hash if in jobs local printf read readonly return select set shift source
	test then time times trap true type ulimit umask unalias unset until wait while `

// replaced returns the command prefixed with exec if it is a single program with
// its arguments. Otherwise the shell remains its parent, and the shell's exit code
// hides the signal that ended the program.
func replaced(start string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(start), " ")
	if strings.ContainsAny(start, ";|&(){}\n") || strings.ContainsAny(first, "=$`\"'\\") || slices.Contains(strings.Fields(shellWords), first) {
		return start
	}
	return "exec " + start
}

// isScript reports whether start is the path of a script for node, as on the
// original Nodejitsu platform, rather than a shell command.
func isScript(dir, start string) bool {
	if start == "" || strings.ContainsAny(start, " \t\n\"'`$&|;<>()*?[]{}~#\\=!") || strings.HasPrefix(start, "-") {
		return false
	}
	switch filepath.Ext(start) {
	case ".js", ".cjs", ".mjs":
		return true
	}
	if !filepath.IsLocal(start) {
		return false
	}
	file, err := os.OpenInRoot(dir, start)
	if err != nil {
		// node resolves the name server to server.js; a shell does not.
		info, err := os.Stat(filepath.Join(dir, start+".js"))
		return err == nil && info.Mode().IsRegular()
	}
	head := make([]byte, 64)
	n, err := file.Read(head)
	_ = file.Close() // only read
	if err != nil {
		return false // a folder, or an empty file
	}
	first, _, _ := bytes.Cut(head[:n], []byte{'\n'})
	if bytes.HasPrefix(first, []byte("#!")) {
		return bytes.Contains(first, []byte("node"))
	}
	return !bytes.Contains(head[:n], []byte{0})
}

// reserved is about how much data Node.js reserves for its threads and does not
// use, which RLIMIT_DATA counts.
const reserved = 128 << 20

// dataLimit returns RLIMIT_DATA for a memory limit. Of a large limit, what is
// reserved is a small part.
func dataLimit(memory int64) int64 {
	return max(memory, min(memory+reserved, 4*reserved))
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
	env["NODE_OPTIONS"] = nodeOptions(env["NODE_OPTIONS"], limits.Memory)
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

// heapOption limits the heap of Node.js, which otherwise depends on the machine's
// memory, so that garbage is collected too late for the limit of a drone.
const heapOption = "--max-old-space-size"

// nodeOptions returns the app's options for Node.js with heapOption set to three
// quarters of the memory limit of a process; the rest is for memory outside of the
// heap. If the app sets that option itself, it is not changed.
func nodeOptions(options string, memory int64) string {
	if strings.Contains(strings.ReplaceAll(options, "_", "-"), heapOption) {
		return options
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s=%d", options, heapOption, memory/4*3>>20))
}

// check returns an error if v is invalid.
func check(v runner.Version) error {
	switch {
	case strings.TrimSpace(v.Start) == "" && v.Static == "" && len(v.Processes) == 0:
		return core.Errorf(core.CodePlatformStartFailed, "there is nothing to start: no scripts.start in package.json, no Procfile and no server.js; add one of them (the last lines of the build's output say more)")
	case !filepath.IsAbs(v.Dir) || !filepath.IsAbs(v.Node):
		return fmt.Errorf("processes: the folder %q and the node %q must be absolute paths", v.Dir, v.Node)
	case v.Static != "" && !filepath.IsAbs(v.Static):
		return fmt.Errorf("processes: the site's folder %q must be an absolute path", v.Static)
	case v.Health != "" && !isPath(v.Health):
		return core.Errorf(core.CodePlatformStartFailed, "the health path %.100q in package.json can't be requested; write one such as /healthz", v.Health)
	}
	for name, value := range v.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return core.Errorf(core.CodePlatformStartFailed, "the environment variable %q can't be set; rename it or remove NUL from its value", name)
		}
	}
	return nil
}
