// Package startup has the rules for starting what an app declares, which are the
// same for every runner.
package startup

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Args returns the arguments that run a shell command in the folder dir, or the
// path of a file in it by node.
func Args(dir, node, text string) []string {
	if start := strings.TrimSpace(text); isScript(dir, start) {
		return []string{node, start}
	}
	return []string{"/bin/sh", "-c", replaced(text)}
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

// Options of V8 for the sizes of the heap's parts, which otherwise depend on the machine's
// memory or not on the limit, so that garbage is collected too late for a drone's limit.
const (
	oldOption   = "--max-old-space-size"
	youngOption = "--max-semi-space-size" // a third of the young generation
)

// NodeOptions returns the app's options for a version of Node.js with the old
// generation limited to three quarters of the memory limit of a process; the rest is for the
// young generation and for memory outside of the heap. The young one may have 192 MiB
// from Node.js 24 on, and is limited to what it was before, more if the limit is large.
// An option that the app sets itself is not changed.
func NodeOptions(options string, memory int64, version string) string {
	options = withOption(options, oldOption, memory/4*3>>20)
	if n, known := major(version); known && n >= reservingMajor {
		options = withOption(options, youngOption, min(max(memory>>26, 16), 32))
	}
	return options
}

// withOption adds an option with its value in MiB, unless it is there.
func withOption(options, name string, mib int64) string {
	if strings.Contains(strings.ReplaceAll(options, "_", "-"), name) {
		return options
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s=%d", options, name, mib))
}

// major returns the first number of a version.
func major(version string) (n int, ok bool) {
	text, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	return n, err == nil
}

const (
	// reservingMajor is the first Node.js that reserves reservedBy.
	reservingMajor = 24
	// reservedBefore is about how much data an older Node.js reserves for its threads and
	// does not use.
	reservedBefore = 128 << 20
	// reservedBy is how much data an instance of V8 reserves since Node.js 24: 512 MiB for
	// compiled code, all of which may be written, and its first heap. It uses hardly any.
	reservedBy = 528 << 20
	// threads is how many worker threads a process may have, of which each has an instance
	// of V8, beside one for each processor.
	threads = 8
)

// DataLimit returns the limit of the data of a process (RLIMIT_DATA) that may use so much
// memory and runs by a version of Node.js; "" is one that is not known. The limit
// counts what is reserved. As a program of Node.js 24 reserves far more than it may use,
// package processes/group also reads how much memory the processes use.
func DataLimit(memory int64, version string) int64 {
	if n, known := major(version); known && n < reservingMajor {
		// Of a large limit, what is reserved is a small part.
		return max(memory, min(memory+reservedBefore, 4*reservedBefore))
	}
	return memory + int64(1+threads+runtime.NumCPU())*reservedBy
}

// Check returns an error if v is invalid.
func Check(v runner.Version) error {
	switch {
	case strings.TrimSpace(v.Start) == "" && v.Static == "" && len(v.Processes) == 0:
		return core.Errorf(core.CodePlatformStartFailed, "there is nothing to start: no scripts.start in package.json, no Procfile and no server.js; add one of them (the last lines of the build's output say more)")
	case !filepath.IsAbs(v.Dir) || !filepath.IsAbs(v.Node):
		return fmt.Errorf("startup: the folder %q and the node %q must be absolute paths", v.Dir, v.Node)
	case v.Static != "" && !filepath.IsAbs(v.Static):
		return fmt.Errorf("startup: the site's folder %q must be an absolute path", v.Static)
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

// isPath reports whether text can be requested as a path of a host.
func isPath(text string) bool {
	parsed, err := url.Parse("http://host" + text)
	return err == nil && strings.HasPrefix(text, "/") && parsed.Host == "host" && parsed.Fragment == ""
}
