package apps

import (
	"fmt"
	"strings"
	"testing"
)

// onNode returns an app that answers with the version of its node, and of the node
// that its scripts find, at its start and in its build.
func onNode(engine string) files {
	f := script(`
		const found = require('child_process').execFileSync('node', ['--version'], { encoding: 'utf8' }).trim()
		const built = require('fs').readFileSync(__dirname + '/built.txt', 'utf8')
		require('http').createServer((req, res) => res.end([process.version, found, built].join(' '))).listen(process.env.PORT)`)
	f["package.json"] = fmt.Sprintf(`{
		"name": "app", "version": "1.0.0", "engines": {"node": %q},
		"scripts": {"start": "node server.js", "postinstall": "node -e \"fs.writeFileSync('built.txt', process.version)\""}
	}`, engine)
	return f
}

func TestEngines(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "engines")
	id, output, failure := a.upload(onNode("18.x"))
	if failure != "" || !strings.Contains(output, "Fetching Node.js 18.") {
		t.Fatalf("the build: %s\n%s", failure, output)
	}
	a.ok(a.start(id))
	versions := strings.Fields(a.get("/").body)
	if len(versions) != 3 {
		t.Fatalf("the app answers %q", versions)
	}
	for _, version := range versions {
		if !strings.HasPrefix(version, "v18.") {
			t.Errorf("the app sees %q", versions)
		}
	}

	// A version of Node.js that was fetched is kept.
	id, output, failure = a.upload(onNode(">=18.1 <19"))
	if failure != "" || strings.Contains(output, "Fetching") {
		t.Errorf("the second build: %s\n%s", failure, output)
	}
	a.ok(a.start(id))
	a.answers(strings.Join(versions, " "))

	for _, engine := range []string{"99.x", ">=18 <18", "0.0.1", "file:../node", "as you like"} {
		_, output, failure = a.upload(onNode(engine))
		if !strings.Contains(failure, `engines.node in package.json is "`+engine+`"`) {
			t.Errorf("for %q the build fails with %q\n%s", engine, failure, output)
		}
	}
	a.answers(strings.Join(versions, " "))
}

// Each instance of V8 of Node.js 24 reserves 512 MiB, which does not count as memory of a
// build or of an app.
func TestWorkerThreads(t *testing.T) {
	t.Parallel()
	const workers = `
		const { Worker } = require('worker_threads')
		const all = Array.from({ length: 4 }, () => new Worker("require('worker_threads').parentPort.postMessage('up')", { eval: true }))
		const up = Promise.all(all.map((w) => new Promise((resolve, reject) => w.on('message', resolve).on('error', reject))))`
	f := script(workers + `
		up.then(() => require('http').createServer((req, res) => res.end(process.version)).listen(process.env.PORT))`)
	f["build.js"] = workers
	f["package.json"] = `{
		"name": "app", "version": "1.0.0", "engines": {"node": "24.x"},
		"scripts": {"start": "node server.js", "postinstall": "node build.js"}
	}`
	a := create(t, shared, "workers")
	a.deploy(f)
	if version := a.get("/").body; !strings.HasPrefix(version, "v24.") {
		t.Errorf("it runs on %q", version)
	}
}
