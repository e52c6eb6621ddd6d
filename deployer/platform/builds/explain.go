package builds

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// symptom is a line that explains why a program failed.
type symptom struct {
	line   *regexp.Regexp
	remedy string
	after  int // further lines that belong to it
}

// outages match failures to reach a registry, which may be temporary. They do not
// match the output of scripts, which may have failed for another reason.
var outages = []*regexp.Regexp{ //nolint:gochecknoglobals // a table
	regexp.MustCompile(`^npm (?:error|ERR!) code (E5\d\d|E429|ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|ESOCKETTIMEDOUT|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT|EAI_AGAIN|ENOTFOUND|EPIPE|EHOSTUNREACH|ENETUNREACH|FETCH_ERROR|ERR_INVALID_CHUNK)\b`),
	regexp.MustCompile(`^error .*(?:https?://\S+: (?:ECONN\w+|ETIMEDOUT|ESOCKETTIMEDOUT|EAI_AGAIN|ENOTFOUND|socket hang up|tunneling socket|Request failed "5\d\d|Request failed "429)|trouble with your network connection)`),
	regexp.MustCompile(`^error An unexpected error occurred: "(?:https?://\S+: )?(?:connect ECONN\w+|read ECONN\w+|getaddrinfo|ETIMEDOUT|ESOCKETTIMEDOUT|socket hang up|Request failed \\?"(?:5\d\d|429))`),
	regexp.MustCompile(`YN0035: .*(?:Response Code: (?:5\d\d|429)|RequestError)`),
	regexp.MustCompile(`YN00\d\d: .*(?:RequestError|HTTPError|Response [cC]ode:? (?:5\d\d|429)|(?:ECONN\w+|ETIMEDOUT|EAI_AGAIN|ENOTFOUND)\b)`),
	regexp.MustCompile(`ERR_PNPM_(?:META_FETCH_FAIL|FETCH_5\d\d|FETCH_429|TARBALL_FETCH\w*)`),
	regexp.MustCompile(`ERR_PNPM_\w*(?:ECONN\w+|ETIMEDOUT|EAI_AGAIN|ENOTFOUND)|^\s*(?:ERROR|error|\[ERR_\w+\]).*\b(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN)\b`),
}

// full matches the failure to write to a disk that is full. Node.js says the same of
// too many files that are watched.
var full = regexp.MustCompile(`\bENOSPC\b.*no space left|[Nn]o space left on device|^npm (?:error|ERR!) code ENOSPC`)

const otherNode = "ask for another Node.js in engines.node of package.json"

const compiled = "use a version of the package that has a prebuilt file for your Node.js, or that compiles with it"

// symptoms are searched in this order.
var symptoms = []symptom{ //nolint:gochecknoglobals // a table
	{regexp.MustCompile(`requires a minimum Node\.js version|For Next\.js, Node\.js version .* is required`), otherNode, 0},
	{regexp.MustCompile(`Could not resolve dependency:|ERESOLVE could not resolve`), "make the versions fit, or put legacy-peer-deps=true into .npmrc", 2},
	{regexp.MustCompile(`can only install with an existing`), "the lockfile can't be read, as with the marks of a merge conflict: install on your machine and commit it", 1},
	{regexp.MustCompile(`can only install packages when your|Missing: .* from lock file|lock file's .* does not satisfy|ERR_PNPM_\w*LOCKFILE\w*|Your lockfile needs to be updated|lockfile would have been (?:modified|created)`), "install on your machine and commit the lockfile", 0},
	{regexp.MustCompile(`\bE401\b|\bE403\b|ERR_PNPM_FETCH_40[13]|Response [cC]ode:? 40[13]|Request failed \\?"40[13]|YN0041|401 Unauthorized|Unable to authenticate`), "for a private registry, refer to a variable in .npmrc, as in _authToken=${NPM_TOKEN}, and set it with webhooks apps env set", 0},
	{regexp.MustCompile(`\bE404\b|ERR_PNPM_FETCH_404|Couldn't find package|Response [cC]ode:? 404|Request failed \\?"404|\bETARGET\b|No matching version|ERR_PNPM_NO_MATCHING_VERSION|Couldn't find any versions`), "check the name and the version; a private registry is named in .npmrc", 0},
	{regexp.MustCompile(`ERR_PNPM_IGNORED_BUILDS`), "approve the scripts of dependencies with pnpm approve-builds, and commit that", 0},
	{regexp.MustCompile(`code EBADENGINE\b|ERR_PNPM_UNSUPPORTED_ENGINE|The engine "\w+" is incompatible`), otherNode, 0},
	{regexp.MustCompile(`(?i)self[- ]signed certificate|SELF_SIGNED_CERT|unable to (?:verify|get) .*certificate|UNABLE_TO_(?:VERIFY|GET)`), "the server must know the certification authority: have its operator set NODE_EXTRA_CA_CERTS in its environment, or cafile in its npm settings", 0},
	{regexp.MustCompile(`\bEINTEGRITY\b`), "install on your machine and commit the lockfile", 0},
	{regexp.MustCompile(`heap out of memory`), "set NODE_OPTIONS=--max-old-space-size=1536 in the app's environment", 0},
	{regexp.MustCompile(`(?:^|\s)(?:sh|/bin/sh|bash): .*not found|command not found`), "add the package that has it to the dependencies in package.json", 0},
	{regexp.MustCompile(`gyp ERR! stack Error: Can't find Python executable`), "it is compiled by a node-gyp that needs Python 2, which the platform does not have: use a newer version of the package that is compiled, or another package", 0},
	{regexp.MustCompile(`\.(?:c|cc|cpp|h|hpp):\d+:\d+: (?:fatal )?error: `), compiled, 0},
	{regexp.MustCompile(`gyp ERR! stack Error|gyp ERR! find Python`), compiled, 0},
	{regexp.MustCompile(`gyp ERR! not ok`), compiled, 0},
	{regexp.MustCompile(`Cannot find module|ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND`), "add it to the dependencies in package.json", 0},
	{regexp.MustCompile(`error TS\d+`), "", 0},
	{regexp.MustCompile(`(?:^|\s)\w*Error: \S|^Error: |\berror:? \S.*\bENOTFOUND\b`), "", 0},
	{regexp.MustCompile(`Missing script|ERR_PNPM_NO_SCRIPT|Command "\S+" not found`), "", 0},
}

// noise matches lines that package managers print after every failure.
var noise = regexp.MustCompile(`A complete log of this run|^npm (?:error|ERR!)\s*$|\b(?:code (?:\d+|ELIFECYCLE|1)|path /\S+|command failed)$|Lifecycle script .* failed|^error Command failed with exit code|^info Visit|^\s*at .*[:(]\d+|^Node\.js v\d|^\s*$|^> |\[ELIFECYCLE\]|ERR_PNPM_RECURSIVE_RUN_FIRST_FAIL|^npm (?:error|ERR!) command sh -c|^➤ YN0000:|^error: script|^gyp ERR! stack\s+at |^gyp verb `)

// usage matches the line from which on npm describes its command after a failure.
var usage = regexp.MustCompile(`^npm (?:error|ERR!) (?:Clean install a project|Install a package|Usage:)$`)

// requested matches the line that names what could not be fetched.
var requested = regexp.MustCompile(`\brequest to \S+ failed`)

// Prefixes of the messages of package managers, and colours.
var (
	marks   = regexp.MustCompile(`^(?:npm (?:error|ERR!) ?|npm notice |➤ YN\d+: [│└┌ ]*|error |│ )+`)
	colours = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
)

const (
	maxCause  = 4  // lines
	maxDetail = 12 // lines
)

// explain returns the error of a program of the app that failed: the line with the
// cause, what to do, and the last relevant lines.
func explain(doing string, exit *exec.ExitError, lines []string) error {
	for i, line := range lines {
		lines[i] = colours.ReplaceAllString(line, "")
	}
	if at := slices.IndexFunc(lines, usage.MatchString); at >= 0 {
		lines = lines[:at]
	}
	why, remedy := cause(lines)
	reason := fmt.Sprintf("%s failed: %v", doing, exit)
	if why != "" {
		reason = fmt.Sprintf("%s failed: %s", doing, why)
	}
	if in := failedIn(lines); in != "" && why != "" && !strings.Contains(why, in) {
		reason = fmt.Sprintf("%s failed: the install script of %s: %s", doing, in, why)
	}
	if remedy != "" {
		reason = strings.TrimRight(reason, ". ") + "; " + remedy
	}
	e := core.NewError(core.CodePlatformBuildFailed, reason, exit)
	e.Detail = detail(lines)
	if slices.ContainsFunc(lines, func(line string) bool { return full.MatchString(line) && !strings.Contains(line, "watch") }) {
		e.Code, e.Reason = core.CodePlatformNoSpace, fmt.Sprintf("%s failed, as the disk of the platform is full; its operator must free space on it", doing)
		return core.Transient(e, 0)
	}
	for _, line := range lines {
		if slices.ContainsFunc(outages, func(o *regexp.Regexp) bool { return o.MatchString(line) }) {
			e.Reason = fmt.Sprintf("%s could not reach the registry: %s", doing, plain(line))
			if at := slices.IndexFunc(lines, requested.MatchString); at >= 0 && !requested.MatchString(line) {
				e.Reason += ": " + plain(lines[at])
			}
			return core.Transient(e, 0)
		}
	}
	return e
}

// inDependency matches the line with which npm names the folder of a package whose
// script failed.
var inDependency = regexp.MustCompile(`^npm (?:error|ERR!) path /.*/node_modules/((?:@[^/\s]+/)?[^/\s]+)$`)

// failedIn returns the dependency whose install script failed, as npm names it; "" if
// the failed script is not one of a dependency.
func failedIn(lines []string) string {
	for _, line := range lines {
		if found := inDependency.FindStringSubmatch(line); found != nil {
			return found[1]
		}
	}
	return ""
}

// cause returns the line with the cause of a failure, and what to do.
func cause(lines []string) (why, remedy string) {
	for _, s := range symptoms {
		for i := range slices.Backward(lines) {
			if !s.line.MatchString(lines[i]) {
				continue
			}
			first, more := strings.CutPrefix(plain(lines[i]), "code ")
			found, after := []string{first}, s.after
			if more {
				found[0], after = first+":", after+1 // npm's next line has the message
			}
			for _, next := range lines[i+1:] {
				// A line that ends in a colon is explained by the next.
				if len(found) > after && !strings.HasSuffix(found[len(found)-1], ":") || len(found) > maxCause {
					break
				}
				if text := plain(next); text != "" {
					found = append(found, text)
				}
			}
			return strings.Join(found, " "), s.remedy
		}
	}
	for _, line := range slices.Backward(lines) {
		if !isNoise(line) {
			return plain(line), ""
		}
	}
	return "", ""
}

// isNoise reports whether a line says nothing about a cause.
func isNoise(line string) bool { return noise.MatchString(line) || noise.MatchString(plain(line)) }

// plain returns a line without the prefixes of package managers.
func plain(line string) string {
	line = strings.TrimSpace(marks.ReplaceAllString(line, ""))
	const most = 300
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// detail returns the last lines that are not noise.
func detail(lines []string) string {
	var found []string
	for _, line := range slices.Backward(lines) {
		if isNoise(line) {
			continue
		}
		if found = append(found, plain(line)); len(found) == maxDetail {
			break
		}
	}
	slices.Reverse(found)
	return strings.Join(found, "\n")
}
