package builds

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// A disk that is full is not the app's fault, and may have room later.
func TestExplainFullDisk(t *testing.T) {
	t.Parallel()
	lines := []string{"npm error code ENOSPC", "npm error syscall write", "npm error nospc ENOSPC: no space left on device, write"}
	err := explain("npm ci", &exec.ExitError{}, lines)
	if _, again := core.Retryable(err); !again || core.CodeOf(err) != core.CodePlatformNoSpace || !strings.Contains(core.AsError(err).Reason, "its operator must free space") {
		t.Errorf("got %v", err)
	}
}

// The errors for the output of failing package managers.
func TestExplain(t *testing.T) {
	t.Parallel()
	exit := &exec.ExitError{}
	for name, test := range map[string]struct {
		lines     string
		reason    []string // parts
		not       string
		transient bool
	}{
		"husky": {
			"> app@1.0.0 prepare\n> husky\n\nsh: 1: husky: not found\nnpm error code 127\nnpm error path /var/x\nnpm error command failed\nnpm error command sh -c husky\nnpm error A complete log of this run can be found in: /x",
			[]string{"sh: 1: husky: not found", "package.json"},
			"code 127", false,
		},
		"native": {
			"npm error code 1\nnpm error path /x/node_modules/better-sqlite3\nnpm error command failed\nnpm error command sh -c prebuild-install || node-gyp rebuild\nnpm error prebuild-install warn install getaddrinfo ENOTFOUND github.com\nnpm error gyp ERR! stack Error: not found: make\nnpm error gyp ERR! stack at getNotFoundError\nnpm error gyp ERR! not ok",
			[]string{"the install script of better-sqlite3: gyp ERR! stack Error: not found: make; use a version of the package that has a prebuilt file"},
			"could not reach", false,
		},
		"an old Node.js": {
			"Node.js version v20.20.2 detected.\nThe Angular CLI requires a minimum Node.js version of v22.22.3 or v24.15.0 or v26.0.0.\n\nPlease update your Node.js version or visit https://nodejs.org/ for additional instructions.\n\nnpm error code 3",
			[]string{"The Angular CLI requires a minimum Node.js version of v22.22.3", "ask for another Node.js in engines.node"},
			"", false,
		},
		"an old node-gyp": {
			"npm error path /x/node_modules/node-sass\nnpm error command failed\nnpm error gyp verb `which` failed Error: not found: python2\nnpm error gyp ERR! stack Error: Can't find Python executable \"python\", you can set the PYTHON env variable.\nnpm error gyp ERR! stack     at PythonFinder.failNoPython (/x/configure.js:484:19)\nnpm error gyp ERR! not ok",
			[]string{"the install script of node-sass: gyp ERR! stack Error: Can't find Python executable", "needs Python 2"},
			"not ok", false,
		},
		"a compiler": {
			"npm error path /x/node_modules/@scope/addon\nnpm error ../src/addon.cc:12:3: error: 'Foo' is not a member of 'v8'\nnpm error make: *** [addon.target.mk:114: addon.o] Error 1\nnpm error gyp ERR! build error\nnpm error gyp ERR! stack Error: `make` failed with exit code: 2\nnpm error gyp ERR! not ok",
			[]string{"the install script of @scope/addon: ../src/addon.cc:12:3: error: 'Foo' is not a member of 'v8'; use a version"},
			"not ok", false,
		},
		"peers": {
			"npm error code ERESOLVE\nnpm error ERESOLVE could not resolve\nnpm error\nnpm error While resolving: rrapp@undefined\nnpm error Found: react-router@7.1.0\nnpm error\nnpm error Could not resolve dependency:\nnpm error peer react-router@\"7.18.4\" from @react-router/serve@7.18.4\nnpm error node_modules/@react-router/serve",
			[]string{`peer react-router@"7.18.4" from @react-router/serve`, "legacy-peer-deps=true"},
			"", false,
		},
		"lockfile": {
			"npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages when your package.json and package-lock.json are in sync.\nnpm error\nnpm error Missing: is-number@7.0.0 from lock file",
			[]string{"commit the lockfile"},
			"", false,
		},
		"a damaged lockfile": {
			"npm error code EUSAGE\nnpm error\nnpm error The `npm ci` command can only install with an existing package-lock.json or\nnpm error npm-shrinkwrap.json with lockfileVersion >= 1. Run an install with npm@5 or\nnpm error later to generate a package-lock.json file, then try again.\nnpm error\nnpm error Clean install a project\nnpm error\nnpm error Usage:\nnpm error npm ci\nnpm error\nnpm error Run \"npm help ci\" for more info",
			[]string{"can only install with an existing package-lock.json", "merge conflict"},
			"npm help", false,
		},
		"pnpm's lockfile": {"ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\" because pnpm-lock.yaml is not up to date", []string{"commit the lockfile"}, "", false},
		"private":         {"npm error code E401\nnpm error 401 Unauthorized - GET https://r.example/x", []string{"401 Unauthorized - GET", "NPM_TOKEN"}, "", false},
		"no package":      {"npm error code E404\nnpm error 404 Not Found - GET https://registry.npmjs.org/nowhere", []string{"404 Not Found", "check the name"}, "", false},
		"types":           {"src.ts(1,7): error TS2322: Type 'number' is not assignable to type 'string'.\nnpm error code 2", []string{"error TS2322"}, "", false},
		"module":          {"node:internal/modules/cjs/loader:1\n  throw err;\n\nError: Cannot find module 'x'\nRequire stack:\n- /x/build.js\n    at a (b:1:2)\n\nNode.js v20.20.2", []string{"Cannot find module 'x'", "package.json"}, "", false},
		"certificate":     {"error Error: self-signed certificate in certificate chain\n    at TLSSocket.onConnectSecure", []string{"self-signed certificate in certificate chain", "NODE_EXTRA_CA_CERTS"}, "", false},
		"memory":          {"<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", []string{"heap out of memory", "NODE_OPTIONS"}, "", false},
		"pnpm's scripts":  {"[ERR_PNPM_IGNORED_BUILDS] Ignored build scripts: esbuild@0.25.0", []string{"esbuild", "pnpm approve-builds"}, "", false},
		"a long message": {
			"> Build error occurred\nError: Turbopack build failed with 1 errors:\n[next]/internal/font/google/geist.module.css\nError: next/font: error:\nFailed to fetch Geist from Google Fonts.\nIf you are offline",
			[]string{"Error: next/font: error: Failed to fetch Geist from Google Fonts."},
			"If you are", false,
		},
		"watched files": {"Error: ENOSPC: no space left on device, watch '/app'", []string{"Error: ENOSPC"}, "full", false},
		"no output":     {"", []string{"npm ci failed"}, "", false},

		"registry down":             {"npm error code ECONNREFUSED\nnpm error errno ECONNREFUSED\nnpm error FetchError: request to http://127.0.0.1:1/x failed", []string{"could not reach the registry", "request to http://127.0.0.1:1/x failed"}, "", true},
		"registry busy":             {"npm error code E503\nnpm error 503 Service Unavailable - GET https://r/x", []string{"could not reach"}, "", true},
		"registry limits":           {"npm error code E429\nnpm error 429 Too Many Requests", []string{"could not reach"}, "", true},
		"yarn 1, registry down":     {"error An unexpected error occurred: \"https://registry.yarnpkg.com/ms: connect ECONNREFUSED 127.0.0.1:1\".", []string{"could not reach"}, "", true},
		"yarn 4, registry down":     {"➤ YN0001: │ RequestError: connect ECONNREFUSED 127.0.0.1:1", []string{"could not reach"}, "", true},
		"pnpm, registry down":       {" ERR_PNPM_META_FETCH_FAIL  GET http://127.0.0.1:1/ms: request to http://127.0.0.1:1/ms failed", []string{"could not reach"}, "", true},
		"a script's own connection": {"Error: connect ECONNREFUSED 127.0.0.1:5432\n    at TCPConnectWrap\nnpm error code 1\nnpm error path /x", []string{"connect ECONNREFUSED 127.0.0.1:5432"}, "could not reach", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := explain("npm ci", exit, strings.Split(test.lines, "\n"))
			e := core.AsError(err)
			if e.Code != core.CodePlatformBuildFailed {
				t.Errorf("code %s", e.Code)
			}
			for _, part := range test.reason {
				if !strings.Contains(e.Reason, part) {
					t.Errorf("%q is missing in %q", part, e.Reason)
				}
			}
			if test.not != "" && strings.Contains(e.Reason, test.not) {
				t.Errorf("%q is in %q", test.not, e.Reason)
			}
			if _, again := core.Retryable(err); again != test.transient {
				t.Errorf("transient is %t: %v", again, err)
			}
			if strings.Contains(e.Reason, "\n") || test.lines != "" && e.Detail == "" {
				t.Errorf("reason %q, detail %q", e.Reason, e.Detail)
			}
		})
	}
}
