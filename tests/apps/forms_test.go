package apps

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// A database in a file of $DATA_DIR, by a native module, keeps what is in it from
// one version to the next.
func TestDatabaseBesideTheApp(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "database")
	version := func(text string) files {
		return files{
			"package.json": `{"name":"app","version":"1.0.0","dependencies":{"libsql":"0.5.29"}}`,
			"Procfile":     "web: node server.js\nrelease: node migrate.js\n",
			"migrate.js": `
				const db = new (require('libsql'))(process.env.DATA_DIR + '/app.db')
				db.exec('create table if not exists versions (name text)')
				console.log('migrated for ` + text + `')`,
			"server.js": `
				const db = new (require('libsql'))(process.env.DATA_DIR + '/app.db')
				db.prepare('insert into versions values (?)').run('` + text + `')
				require('http').createServer((req, res) => {
					res.end(db.prepare('select name from versions').all().map((row) => row.name).join())
				}).listen(process.env.PORT)`,
		}
	}
	a.deploy(version("one"))
	a.answers("one")
	a.deploy(version("two"))
	a.answers("one,two")
	if log := a.call(t.Context(), http.MethodGet, "logs", nil).body; !strings.Contains(log, `"migrated for two"`) || !strings.Contains(log, `"process":"release"`) {
		t.Errorf("the log: %s", log)
	}
}

// A database by a native module that is compiled, unless there is a prebuilt file for this
// machine, keeps what a request has written when the next version is deployed, which has
// the module without compiling it again.
func TestCompiledDatabase(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "notes")
	a.env(`{"CFLAGS":"-O0","CXXFLAGS":"-O0"}`) // a fifth of the time
	f := example(t, "better-sqlite3", nil)
	a.deploy(f)
	if got := a.send(http.MethodPost, "/first"); got.status != http.StatusOK || got.body != "first" {
		t.Fatalf("it answers %d %q", got.status, got.body)
	}
	f["version.txt"] = "2"
	id, output, failure := a.upload(f)
	if failure != "" || !strings.Contains(output, "Reusing the dependencies of an earlier build") {
		t.Errorf("the second build: %s\n%s", failure, output)
	}
	a.ok(a.start(id))
	a.answers("first")
	if got := a.send(http.MethodPost, "/second"); got.body != "first,second" {
		t.Errorf("it answers %d %q", got.status, got.body)
	}
}

// A bot does not listen: it is the one process of its app, and is replaced with the
// next version and restarted when it ends.
func TestBot(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "bot")
	bot := func(text string) files {
		return files{
			"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"node bot.js"}}`, "Procfile": "worker: npm start\n",
			"bot.js": `
				const life = String(Math.random())
				console.log('` + text + ` is online, port ' + process.env.PORT)
				setInterval(() => {
					try { require('fs').unlinkSync(process.env.DATA_DIR + '/disconnect-` + text + `') } catch { return }
					throw new Error('the gateway has gone')
				}, 50)`,
		}
	}
	logged := func(text string, times int) {
		t.Helper()
		until(t, text, func() bool {
			return strings.Count(a.call(t.Context(), http.MethodGet, "logs", nil).body, `"`+text+`"`) == times
		})
	}
	a.deploy(bot("one"))
	logged("one is online, port undefined", 1)
	id := a.deploy(bot("two"))
	logged("two is online, port undefined", 1)
	if got := a.running(); got != "started "+id {
		t.Errorf("the app is %s", got)
	}
	got := a.call(t.Context(), http.MethodPost, "run", strings.NewReader(`{"command":"touch $DATA_DIR/disconnect-two; echo done"}`))
	if got.status != http.StatusOK || got.body != "done\n" || got.trailer.Get("X-Run-Exit-Code") != "0" {
		t.Errorf("the command: %d %q %v", got.status, got.body, got.trailer)
	}
	until(t, "another life", func() bool {
		log := a.call(t.Context(), http.MethodGet, "logs", nil).body
		return strings.Contains(log, "the gateway has gone") && strings.Count(log, `is online`) >= 3
	})
}

// One app of a workspace is built by Turborepo with the members that it needs.
func TestMonorepo(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "monorepo")
	f := files{
		"package.json":              `{"name":"all","private":true,"packageManager":"pnpm@10.34.8","devDependencies":{"turbo":"2.11.11"}}`,
		"pnpm-workspace.yaml":       "packages:\n  - apps/*\n  - packages/*\n",
		"turbo.json":                `{"tasks":{"build":{"dependsOn":["^build"],"outputs":["dist/**"]}}}`,
		"packages/lib/package.json": `{"name":"@all/lib","version":"1.0.0","main":"dist/index.js","scripts":{"build":"mkdir -p dist && cp src/index.js dist"}}`,
		"packages/lib/src/index.js": `module.exports = () => 'built by Turborepo, ' + require('ms')(60000)`,
		"apps/web/package.json":     `{"name":"web","version":"1.0.0","dependencies":{"@all/lib":"workspace:*"},"scripts":{"build":"node -e \"require('fs').writeFileSync('text.txt', require('@all/lib')())\"","start":"node server.js"}}`,
		"apps/web/server.js":        `require('http').createServer((req, res) => res.end(require('fs').readFileSync('text.txt') + '; ' + require('@all/lib')())).listen(process.env.PORT)`,
		"apps/other/package.json":   `{"name":"other","version":"1.0.0","scripts":{"build":"exit 1"}}`,
	}
	f["packages/lib/package.json"] = strings.Replace(f["packages/lib/package.json"], `"main"`, `"dependencies":{"ms":"2.1.3"},"main"`, 1)
	got := a.call(t.Context(), http.MethodPost, "snapshots/1.0.0-1?root=apps/web", bytes.NewReader(f.tgz(t)))
	a.ok(got)
	if failure := got.trailer.Get("X-Build-Failure"); failure != "" || !strings.Contains(got.body, "build script by Turborepo") {
		t.Fatalf("the build: %s\n%s", failure, got.body)
	}
	a.ok(a.start("1.0.0-1"))
	a.answers("built by Turborepo, 1m; built by Turborepo, 1m")
}

// NestJS as its command line makes it, without what is not for building: its start
// script is for development, and decorators are compiled.
func TestNest(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "nest")
	a.deploy(example(t, "nest", nil))
	a.answers("Hello Nest!")
}
