package startup

import (
	"regexp"
	"slices"
	"strings"
)

// cause is a line that an app prints when it fails, and what to do about it.
type cause struct {
	line   *regexp.Regexp
	remedy string
}

const (
	onPort    = "listen on process.env.PORT instead of a port of your own"
	variable  = `\b(?:[A-DF-Z]|E[A-QS-Z])[A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b` // not a code of Node.js, ERR_SOMETHING
	addModule = "add it to the dependencies in package.json; those for development are removed after the build"
)

// causes are searched in this order.
var causes = []cause{ //nolint:gochecknoglobals // a table
	{regexp.MustCompile(`Cannot find module '(?:\.|/|file:)`), "it is not in the repository and the build does not make it: check the path with its case, .gitignore and the build script"},
	{regexp.MustCompile(`Cannot find (?:module|package) '`), addModule},
	{regexp.MustCompile(`ERR_REQUIRE_ESM|require\(\) of ES Module|(?:require|module|exports|__dirname|__filename) is not defined in ES module scope|Cannot use import statement outside a module|Unexpected token 'export'|does not provide an export named`), `an ES module uses import, and a CommonJS module require: set "type" in package.json, or name the file .mjs or .cjs`},
	{regexp.MustCompile(`\bEADDRINUSE\b`), onPort},
	{regexp.MustCompile(`(?:listen|bind) EACCES\b`), onPort},
	{regexp.MustCompile(`Could not find a production build`), "add a build script that runs `next build`"},
	{regexp.MustCompile(`@prisma/client did not initialize|run ['"\x60]?prisma generate`), "run `prisma generate` in the script build or postinstall"},
	{regexp.MustCompile(`invalid ELF header|wrong ELF class|NODE_MODULE_VERSION|compiled against a different Node\.js`), "it was compiled for another system or Node.js: leave node_modules out of the repository, and name your Node.js in engines.node"},
	{regexp.MustCompile(`cannot open shared object file|version .GLIBC\S* not found`), "the platform does not have that library: use a package that includes it"},
	{regexp.MustCompile(`^(?:/bin/)?(?:sh|bash): .*(?:not found|No such file)`), "check the start command; what a package provides needs that package in the dependencies, as those for development are removed after the build"},
	{regexp.MustCompile(`^(?:/bin/)?(?:sh|bash): .*Permission denied`), "make the file executable and commit that (git update-index --chmod=+x)"},
	{regexp.MustCompile(`\[ERR_INVALID_(?:ARG_TYPE|URL)\]`), "is it a variable that is not set? See webhooks apps env"},
	{regexp.MustCompile(`(?i)\b(?:error|missing|required|must)\b.*\benv(?:ironment)?[- ]var|\benv(?:ironment)?[- ]var.*\b(?:missing|required|must|not found|not set)\b`), setVariable},
	{regexp.MustCompile(`(?i:error|fatal|missing|required|must|provide).*` + variable + `|` + variable + `.*(?i:required|missing|must be)`), setVariable},
	{regexp.MustCompile(`\b(?:ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EAI_AGAIN)\b`), "check the address of that service, which an app usually gets by a variable: webhooks apps env"},
	{regexp.MustCompile(`\b(?:EROFS|EACCES|EPERM)\b.*(?:open|mkdir|unlink|rename|rmdir|copyfile)`), "write to $DATA_DIR, which stays between versions, or to $TMPDIR"},
	{regexp.MustCompile(`\bENOSPC\b.*no space left|EDQUOT`), "the disk of the platform is full; its operator must free space"},
	{regexp.MustCompile(`\bis not a function\b|\bis not defined\b|ReferenceError`), ""},
	{regexp.MustCompile(`(?:^|\s)\w*Error(?: \[\w+\])?: \S`), ""},
	{regexp.MustCompile(`UnhandledPromiseRejection|Unhandled rejection`), ""},
}

const setVariable = "set it with webhooks apps env set"

var (
	// place is the line in which Node.js names where an error was thrown.
	place = regexp.MustCompile(`^(?:file://)?(/\S+:\d+)$`)
	// noise are lines that say nothing about a cause.
	noise   = regexp.MustCompile(`^\s*at |^Node\.js v\d|^\s*[\^~]+\s*$|^\s*$|^\s*[{}]+,?;?\s*$|^Require stack:|^- /|^\s*(?:code|errno|syscall|address|port|requireStack):`)
	colours = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
)

const maxCause = 300 // bytes

// Cause adds to the reason for which an app failed, a sentence, what it printed about
// that, and what to do. printed are its last lines. root is the folder of the version,
// which is left out of the paths.
func Cause(reason, printed, root string) string {
	lines := strings.Split(colours.ReplaceAllString(printed, ""), "\n")
	what, remedy := find(lines)
	// What the last line says is relevant if the app ended right after it.
	if what == "" && strings.Contains(reason, " exited with code ") {
		for _, line := range slices.Backward(lines) {
			if !noise.MatchString(line) {
				what = strings.TrimSpace(line)
				break
			}
		}
	}
	if what != "" {
		if root != "" {
			what = strings.NewReplacer("file://"+root+"/", "", root+"/", "").Replace(what)
		}
		if len(what) > maxCause {
			what = strings.ToValidUTF8(what[:maxCause], "") + "…"
		}
		join := ": "
		if strings.ContainsAny(reason, ";") {
			join = ". It printed: " // the reason says what to do already
		}
		reason += join + strings.TrimRight(what, ".;: ")
	}
	if remedy == "" && strings.Contains(reason, " exited with code 0 before ") {
		remedy = "an app must keep running and listen on process.env.PORT; what serves no requests is a worker in a Procfile"
	}
	if remedy != "" {
		reason += "; " + remedy
	}
	return reason
}

// find returns the line with a cause, and what to do.
func find(lines []string) (what, remedy string) {
	for _, c := range causes {
		for i, line := range slices.Backward(lines) {
			if !c.line.MatchString(line) || noise.MatchString(line) {
				continue
			}
			what = strings.TrimSpace(line)
			if strings.Contains(what, "SyntaxError") {
				what += at(lines[:i])
			}
			return what, c.remedy
		}
	}
	return "", ""
}

// at returns where an error was thrown, by the lines before its message.
func at(lines []string) string {
	const most = 6
	for _, line := range slices.Backward(lines[max(0, len(lines)-most):]) {
		if found := place.FindStringSubmatch(line); found != nil {
			return " at " + found[1]
		}
	}
	return ""
}
