package startup_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// The reason of a failed start has what the app printed about it, and what to do.
func TestCause(t *testing.T) {
	t.Parallel()
	const exited = "drone 1 exited with code 1 before it accepted connections on PORT"
	for name, test := range map[string]struct{ reason, printed, want string }{
		"a package": {
			exited, "node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module 'express'\nRequire stack:\n- /app/v1/index.js\n    at x (node:internal/a:1:2) {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/app/v1/index.js' ]\n}\n\nNode.js v22.1.0",
			exited + ": Error: Cannot find module 'express'; add it to the dependencies in package.json; those for development are removed after the build",
		},
		"a file": {
			exited, "Error: Cannot find module '/app/v1/dist/index.js'",
			exited + ": Error: Cannot find module 'dist/index.js'; it is not in the repository and the build does not make it: check the path with its case, .gitignore and the build script",
		},
		"a package of an ES module": {
			exited, "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'koa' imported from /app/v1/index.mjs",
			exited + ": Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'koa' imported from index.mjs; add it to the dependencies in package.json; those for development are removed after the build",
		},
		"require in an ES module": {
			exited, "file:///app/v1/index.js:1\nconst a = require('fs')\n          ^\n\nReferenceError: require is not defined in ES module scope, you can use import instead",
			exited + `: ReferenceError: require is not defined in ES module scope, you can use import instead; an ES module uses import, and a CommonJS module require: set "type" in package.json, or name the file .mjs or .cjs`,
		},
		"syntax": {
			exited, "/app/v1/index.js:2\n}\n^\n\nSyntaxError: Unexpected token '}'\n    at wrapSafe (node:internal)\n\nNode.js v22.1.0",
			exited + ": SyntaxError: Unexpected token '}' at index.js:2",
		},
		"a port":     {exited, "Error: listen EADDRINUSE: address already in use :::3000", exited + ": Error: listen EADDRINUSE: address already in use :::3000; listen on process.env.PORT instead of a port of your own"},
		"a variable": {exited, "Error: DATABASE_URL is required\n    at x (y:1:2)", exited + ": Error: DATABASE_URL is required; set it with webhooks apps env set"},
		"a value": {
			exited, "TypeError [ERR_INVALID_ARG_TYPE]: The \"path\" argument must be of type string. Received undefined",
			exited + ": TypeError [ERR_INVALID_ARG_TYPE]: The \"path\" argument must be of type string. Received undefined; is it a variable that is not set? See webhooks apps env",
		},
		"a database": {
			exited, "Error: connect ECONNREFUSED 127.0.0.1:5432\n    at x {\n  code: 'ECONNREFUSED',\n  port: 5432\n}",
			exited + ": Error: connect ECONNREFUSED 127.0.0.1:5432; check the address of that service, which an app usually gets by a variable: webhooks apps env",
		},
		"a command": {
			"drone 1 exited with code 127 before it accepted connections on PORT", "/bin/sh: 1: exec: next: not found",
			"drone 1 exited with code 127 before it accepted connections on PORT: /bin/sh: 1: exec: next: not found; check the start command; what a package provides needs that package in the dependencies, as those for development are removed after the build",
		},
		"words of its own": {exited, "starting\nno license\n", exited + ": no license"},
		"nothing":          {exited, "", exited},
		"the end of a program": {
			"drone 1 exited with code 0 before it accepted connections on PORT", "done",
			"drone 1 exited with code 0 before it accepted connections on PORT: done; an app must keep running and listen on process.env.PORT; what serves no requests is a worker in a Procfile",
		},
		"a start that hangs": {
			"drone 1 did not accept connections on PORT within 30s; listen on process.env.PORT", "MongoServerSelectionError: connect ECONNREFUSED ::1:27017",
			"drone 1 did not accept connections on PORT within 30s; listen on process.env.PORT. It printed: MongoServerSelectionError: connect ECONNREFUSED ::1:27017; check the address of that service, which an app usually gets by a variable: webhooks apps env",
		},
		"a start that hangs and says nothing": {"drone 1 did not accept connections on PORT within 30s; listen on process.env.PORT", "hello", "drone 1 did not accept connections on PORT within 30s; listen on process.env.PORT"},
		"a rejection":                         {exited, "[UnhandledPromiseRejection: This error originated either by throwing inside of an async function. The promise rejected with the reason \"undefined\".] {\n  code: 'ERR_UNHANDLED_REJECTION'\n}", exited + ": [UnhandledPromiseRejection: This error originated either by throwing inside of an async function. The promise rejected with the reason \"undefined\".] {"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := startup.Cause(test.reason, test.printed, "/app/v1"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
