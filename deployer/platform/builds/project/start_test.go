package project_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

func TestStart(t *testing.T) {
	t.Parallel()
	type want struct{ web, static, release string }
	for name, test := range map[string]struct {
		files files
		want  want
	}{
		"Procfile":             {files{"package.json": `{"scripts":{"start":"x"}}`, "Procfile": "web: node web.js --port $PORT\nrelease: node migrate.js\n", "server.js": ""}, want{web: "node web.js --port $PORT", release: "node migrate.js"}},
		"Procfile, worker":     {files{"package.json": `{"scripts":{"start":"node bot"}}`, "Procfile": "worker: node bot\n"}, want{}},
		"Procfile, a bot":      {files{"package.json": `{"scripts":{"start":"node bot"}}`, "Procfile": "worker: npm start\n"}, want{}},
		"Procfile, by main":    {files{"package.json": `{"main":"bot.js"}`, "bot.js": "", "Procfile": "worker: node bot.js\n"}, want{}},
		"Procfile, both":       {files{"package.json": `{"scripts":{"start":"node x"}}`, "Procfile": "worker: node bot\n"}, want{web: "node x"}},
		"Procfile, no web":     {files{"package.json": `{}`, "index.js": "", "public/index.html": "", "Procfile": "worker: node bot\n"}, want{}},
		"Procfile, npm start":  {files{"package.json": `{"scripts":{"start":"node x"}}`, "Procfile": "web:  npm  start\n"}, want{web: "node x"}},
		"scripts.start":        {files{"package.json": `{"scripts":{"start":" node x "},"main":"m.js"}`, "server.js": "", "m.js": ""}, want{web: "node x"}},
		"prestart":             {files{"package.json": `{"scripts":{"prestart":"echo 'hi'","start":"node x"}}`}, want{web: `npm_lifecycle_event=prestart npm_lifecycle_script='echo '\''hi'\''' sh -c 'echo '\''hi'\''' && exec sh -c 'node x'`}},
		"a path":               {files{"package.json": `{"scripts":{"start":"bin/x.mjs"}}`, "bin/x.mjs": ""}, want{web: "node bin/x.mjs"}},
		"a path of an old app": {files{"package.json": `{"scripts":{"start":"./server"}}`, "server.js": ""}, want{web: "node ./server"}},
		"a script for node":    {files{"package.json": `{"scripts":{"start":"bin/run"}}`, "bin/run": "#!/usr/bin/env node\n"}, want{web: "node bin/run"}},
		"a script for others":  {files{"package.json": `{"scripts":{"start":"bin/run"}}`, "bin/run": "#!/bin/sh\n"}, want{web: "bin/run"}},
		"a program":            {files{"package.json": `{"scripts":{"start":"bin/run"}}`, "bin/run": "\x7fELF\x00"}, want{web: "bin/run"}},
		"server.js":            {files{"package.json": `{"main":"m.js"}`, "server.js": "", "m.js": ""}, want{web: "node server.js"}},
		"main":                 {files{"package.json": `{"main":"./lib/m"}`, "lib/m.js": "", "index.html": ""}, want{web: "node lib/m.js"}},
		"main, a folder":       {files{"package.json": `{"main":"lib"}`, "lib/index.js": ""}, want{web: "node lib/index.js"}},
		"main, missing":        {files{"package.json": `{"main":"lib"}`, "app.js": "", "index.js": ""}, want{web: "node app.js"}},
		"main, evil":           {files{"package.json": `{"main":"x; rm -rf ~"}`, "x; rm -rf ~": "", "index.js": ""}, want{web: "node index.js"}},
		"index.js":             {files{"package.json": `{}`, "index.js": ""}, want{web: "node index.js"}},
		"nothing":              {files{"package.json": `{}`}, want{}},
		"Nuxt":                 {files{"package.json": `{}`, ".output/server/index.mjs": "", ".output/public/index.html": "", "app.js": ""}, want{web: "node .output/server/index.mjs"}},
		"Nuxt, generated":      {files{"package.json": `{}`, ".output/public/index.html": ""}, want{static: ".output/public"}},
		"Astro":                {files{"package.json": `{"dependencies":{"@astrojs/node":"1"}}`, "dist/server/entry.mjs": "", "dist/index.html": ""}, want{web: "node dist/server/entry.mjs"}},
		"SvelteKit":            {files{"package.json": `{"devDependencies":{"@sveltejs/adapter-node":"5"}}`, "build/index.js": "", "build/index.html": ""}, want{web: "node build/index.js"}},
		"a new SvelteKit":      {files{"package.json": `{"devDependencies":{"@sveltejs/adapter-auto":"7"}}`, "build/index.js": ""}, want{web: "node build/index.js"}},
		"a build folder":       {files{"package.json": `{}`, "build/index.js": "", "build/index.html": ""}, want{static: "build"}},
		"static":               {files{"package.json": `{}`, "index.html": "", "app.js": ""}, want{static: "."}},
		"static, dist":         {files{"package.json": `{"main":"index.js","scripts":{"dev":"vite"}}`, "dist/index.html": "", "public/index.html": ""}, want{static: "dist"}},
		"Vite":                 {files{"package.json": `{"scripts":{"build":"vite build"}}`, "index.html": "", "dist/index.html": ""}, want{static: "dist"}},
		"a build of parts":     {files{"package.json": `{"scripts":{"build":"sass"}}`, "index.html": "", "dist/style.css": ""}, want{static: "."}},
		"create-react-app":     {files{"package.json": `{"scripts":{"build":"x"}}`, "public/index.html": "", "build/index.html": ""}, want{static: "build"}},
		"static, _site":        {files{"package.json": `{}`, "_site/index.html": ""}, want{static: "_site"}},
		"static by name":       {files{"package.json": `{"webhooks":{"static":"./www/","fallback":"index.html"},"scripts":{"start":"x"}}`, "www/a.txt": ""}, want{static: "www"}},
		"Docusaurus":           {files{"package.json": `{"scripts":{"start":"docusaurus start","build":"docusaurus build"}}`, "build/index.html": ""}, want{static: "build"}},
		"Vite, start":          {files{"package.json": `{"scripts":{"start":"vite --open --mode ssr","build":"vite build"}}`, "index.html": "", "dist/index.html": ""}, want{static: "dist"}},
		"a server by Vite":     {files{"package.json": `{"scripts":{"start":"vite build && node x","build":"vite build"}}`, "dist/index.html": ""}, want{web: "vite build && node x"}},
		"Vite, by a Procfile":  {files{"package.json": `{"scripts":{"start":"vite","build":"x"}}`, "Procfile": "web: npm start\n", "dist/index.html": ""}, want{web: "vite"}},
		"Vite, not built":      {files{"package.json": `{"scripts":{"start":"vite","build":"x"}}`}, want{web: "vite"}},
		"Vite, preview":        {files{"package.json": `{"scripts":{"start":"vite preview --port $PORT","build":"vite build"}}`, "dist/index.html": ""}, want{web: "vite preview --port $PORT"}},
		"Astro, start":         {files{"package.json": `{"dependencies":{"@astrojs/node":"1"},"scripts":{"start":"astro dev","build":"astro build"}}`, "dist/server/entry.mjs": ""}, want{web: "node dist/server/entry.mjs"}},
		"Angular":              {files{"package.json": `{"name":"shop","dependencies":{"@angular/core":"20"},"scripts":{"start":"ng serve","build":"ng build"}}`, "dist/shop/browser/index.html": "", "public/favicon.ico": ""}, want{static: "dist/shop/browser"}},
		"Angular, a server":    {files{"package.json": `{"name":"shop","dependencies":{"@angular/core":"20","@angular/ssr":"20"},"scripts":{"start":"ng serve","build":"ng build"}}`, "dist/shop/browser/index.csr.html": "", "dist/shop/server/server.mjs": ""}, want{web: "node dist/shop/server/server.mjs"}},
		"PnP":                  {files{"package.json": `{"scripts":{"prestart":"a","start":"b"}}`, "yarn.lock": berryLock}, want{web: "yarn run prestart && exec sh -c 'yarn run start'"}},
		"PnP, server.js":       {files{"package.json": `{}`, "yarn.lock": berryLock, "server.js": ""}, want{web: "yarn node server.js"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := test.files.write(t)
			p, err := project.Read(dir, "")
			if err != nil {
				t.Fatal(err)
			}
			s, err := p.Start(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := (want{s.Web, s.Static, s.Release}); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if test.want != (want{}) && s.Source == "" {
				t.Error("it doesn't say where that is from")
			}
		})
	}
}

func TestStaticFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := files{"package.json": `{"webhooks":{"static":"dist"}}`}.write(t)
	p, err := project.Read(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(dir); core.CodeOf(err) != core.CodePlatformBuildFailed || !strings.Contains(err.Error(), `"dist"`) {
		t.Errorf("got %v", err)
	}
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	dir := files{"package.json": `{"scripts":{"start":"x","poststart":"y"}}`, "apps/a/package.json": `{}`, "apps/a/Procfile": "\xef\xbb\xbf# ours\nworker: node worker.js\r\nclock-1:node clock.js\n\n"}.write(t)
	p, err := project.Read(dir, "apps/a")
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Start(dir)
	if want := map[string]string{"worker": "node worker.js", "clock-1": "node clock.js"}; err != nil || !maps.Equal(s.Processes, want) || s.Web != "" {
		t.Errorf("got %v and %q (%v), want %v", s.Processes, s.Web, err, want)
	}
	bot := files{"package.json": `{"scripts":{"prestart":"a","start":"node bot"}}`, "Procfile": "worker: npm start\n"}.write(t)
	if p, err = project.Read(bot, ""); err != nil {
		t.Fatal(err)
	}
	if s, err = p.Start(bot); err != nil || !strings.Contains(s.Processes["worker"], "a' && exec sh -c 'node bot'") || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "No process serves requests") {
		t.Errorf("got %v, notes %q (%v)", s.Processes, s.Notes, err)
	}
	tanstack := files{"package.json": `{"dependencies":{"@tanstack/react-start":"latest"},"devDependencies":{"vite":"8"}}`}.write(t)
	if p, err = project.Read(tanstack, ""); err != nil {
		t.Fatal(err)
	}
	if _, err = p.Start(tanstack); core.CodeOf(err) != core.CodePlatformBuildFailed || !strings.Contains(err.Error(), "there is nothing to start: TanStack Start made no server: add the plugin nitro()") {
		t.Errorf("got %v", err)
	}
	svelte := files{"package.json": `{"devDependencies":{"@sveltejs/adapter-auto":"7","vite":"8"}}`}.write(t)
	if p, err = project.Read(svelte, ""); err != nil {
		t.Fatal(err)
	}
	if _, err = p.Start(svelte); core.CodeOf(err) != core.CodePlatformBuildFailed || !strings.Contains(err.Error(), "use @sveltejs/adapter-node") {
		t.Errorf("got %v", err)
	}
	if plan := p.Plan(nil); plan.Env["GCP_BUILDPACKS"] == "" || len(plan.Notes) != 1 {
		t.Errorf("got %+v", plan)
	}
	if p, err = project.Read(dir, ""); err != nil {
		t.Fatal(err)
	}
	if s, err = p.Start(dir); err != nil || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "poststart") {
		t.Errorf("notes %q (%v)", s.Notes, err)
	}
}

// npm's variables are those that npm sets itself, and prestart comes first.
func TestStartAsNpmDoes(t *testing.T) {
	t.Parallel()
	const show = `node -e 'const e=process.env;console.log([e.npm_lifecycle_event,e.npm_package_name,e.npm_package_version,e.npm_package_config_port,e.npm_package_engines_node,e.npm_package_json,e.npm_lifecycle_script].join())'`
	dir := files{"package.json": `{"name":"@o/app","version":"1.2.3","config":{"port":8080},"engines":{"node":">=4"},"scripts":{"prestart":` + quoted(show) + `,"start":` + quoted(show) + `}}`}.write(t)
	p, err := project.Read(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	run := func(env map[string]string, name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...) //nolint:gosec // the test's own
		cmd.Dir = dir
		cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + t.TempDir()}
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	ours, npms := run(s.Env, "sh", "-c", s.Web), run(nil, "npm", "start", "--silent")
	if ours != npms || strings.Count(ours, "@o/app,1.2.3,8080,>=4") != 2 {
		t.Errorf("got\n%swhere npm has\n%s", ours, npms)
	}
}

// quoted returns a text as JSON.
func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }

// A start command that runs a program of a development dependency keeps what would
// be removed, unless there is a script for production.
func TestStartByDevelopmentDependency(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scripts, procfile string
		web               string
		keep              bool
	}{
		"NestJS":                {`"start":"nest start","start:prod":"node dist/main"`, "", "node dist/main", false},
		"no other script":       {`"start":"NODE_ENV=production tsx server.ts"`, "", "NODE_ENV=production tsx server.ts", true},
		"another of that kind":  {`"start":"nest start","start:prod":"tsx dist/main"`, "", "nest start", true},
		"by another script":     {`"start":"npm run serve","serve":"npx tsx x"`, "", "npm run serve", true},
		"after another command": {`"start":"node a && tsx x"`, "", "node a && tsx x", true},
		"Procfile":              {`"start":"x","start:prod":"y"`, "web: nest start", "nest start", true},
		"a dependency":          {`"start":"serve -s build"`, "", "serve -s build", false},
		"node":                  {`"start":"node nest"`, "", "node nest", false},
		"loaded first":          {`"start":"node --enable-source-maps --import=tsx server.ts"`, "", "node --enable-source-maps --import=tsx server.ts", true},
		"a part of it":          {`"start":"node -r tsx/cjs x"`, "", "node -r tsx/cjs x", true},
		"a file":                {`"start":"node -r ./tsx x"`, "", "node -r ./tsx x", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := files{
				"package.json":           `{"dependencies":{"serve":"1"},"devDependencies":{"@nestjs/cli":"1","tsx":"1"},"scripts":{` + test.scripts + `}}`,
				"Procfile":               test.procfile,
				"node_modules/.bin/nest": "exec node  \"$basedir/../.pnpm/x/node_modules/@nestjs/cli/bin/nest.js\" \"$@\"",
			}.write(t)
			for program, to := range map[string]string{"tsx": "../tsx/dist/cli.mjs", "serve": "../serve/build/main.js"} {
				if err := os.Symlink(to, filepath.Join(dir, "node_modules/.bin", program)); err != nil {
					t.Fatal(err)
				}
			}
			p, err := project.Read(dir, "")
			if err != nil {
				t.Fatal(err)
			}
			s, err := p.Start(dir)
			if err != nil || s.Web != test.web || s.KeepDev != test.keep {
				t.Errorf("got %q, %v (%v); notes %q", s.Web, s.KeepDev, err, s.Notes)
			}
			if noted := len(s.Notes) > 0; noted != (test.keep || name == "NestJS") {
				t.Errorf("notes %q", s.Notes)
			}
		})
	}
}

// The development dependencies are kept if a server that the build made imports one of
// them, or what only they depend on.
func TestBuiltImports(t *testing.T) {
	t.Parallel()
	const server = "dist/server/entry.js"
	for name, test := range map[string]struct {
		files files
		keeps string // what the note says is imported; "" if nothing is kept
	}{
		"of a development dependency": {files{server: `import { clsx as c } from "clsx";`}, "clsx"},
		"itself":                      {files{server: "import fs from 'node:fs'\nexport * from 'svelte/server'"}, "svelte"},
		"for effect":                  {files{server: `import"clsx"`}, "clsx"},
		"CommonJS":                    {files{"build/a.cjs": `const c = require("clsx/lite")`}, "clsx"},
		"a scope":                     {files{server: `import x from "@scope/dev/x"`}, "@scope/dev"},
		"of a dependency":             {files{server: `import "ms"; import "express"`}, ""},
		"of a branch":                 {files{server: `if (dev) await import("svelte")`}, ""},
		"of Node.js":                  {files{server: `import "events"`}, ""},
		"of its own":                  {files{server: `import "./svelte"; import "#svelte"`}, ""},
		"not installed":               {files{server: `import "nowhere"`}, ""},
		"a test":                      {files{"dist/a.test.js": `import "svelte"`, "dist/tests/b.js": `import "svelte"`}, ""},
		"for browsers":                {files{"dist/index.html": "", "dist/a.js": `import "svelte"`, "dist/client/b.js": `import "svelte"`}, ""},
		"not built":                   {files{"vite.config.js": `import "svelte"`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, at := range []string{"", "apps/web/"} {
				all := files{
					"package.json":                       `{"workspaces":["apps/*"]}`, // unless the app is there
					at + "package.json":                  `{"dependencies":{"express":"5"},"devDependencies":{"svelte":"5","@scope/dev":"1","events":"3"},"scripts":{"start":"node server.js"}}`,
					"node_modules/express/package.json":  `{"dependencies":{"ms":"2"}}`,
					"node_modules/ms/package.json":       `{"dependencies":{"express":"5"}}`,
					"node_modules/svelte/package.json":   `{"dependencies":{"clsx":"2"}}`,
					"node_modules/clsx/package.json":     `{}`,
					"node_modules/events/package.json":   `{}`,
					"node_modules/@scope/dev/index.json": `{}`,
				}
				for name, text := range test.files {
					all[at+name] = text
				}
				dir := all.write(t)
				p, err := project.Read(dir, strings.TrimSuffix(at, "/"))
				if err != nil {
					t.Fatal(err)
				}
				s, err := p.Start(dir)
				if err != nil || s.KeepDev != (test.keeps != "") || s.KeepDev && !strings.Contains(strings.Join(s.Notes, "\n"), "imports "+test.keeps+":") {
					t.Errorf("in %q: kept %v, %v; notes %q", at, s.KeepDev, err, s.Notes)
				}
			}
		})
	}
}

// A program of a development dependency is found in the workspace of the app too.
func TestStartByProgramOfWorkspace(t *testing.T) {
	t.Parallel()
	dir := files{
		"package.json":          `{"workspaces":["apps/*"],"devDependencies":{"tsx":"1"}}`,
		"apps/web/package.json": `{"scripts":{"start":"tsx server.ts"}}`,
	}.write(t)
	bin := filepath.Join(dir, "node_modules/.bin")
	if err := os.MkdirAll(bin, 0o755); err != nil { //nolint:gosec // of the test
		t.Fatal(err)
	}
	if err := os.Symlink("../tsx/dist/cli.mjs", filepath.Join(bin, "tsx")); err != nil {
		t.Fatal(err)
	}
	p, err := project.Read(dir, "apps/web")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := p.Start(dir); err != nil || !s.KeepDev {
		t.Errorf("kept %v, %v; notes %q", s.KeepDev, err, s.Notes)
	}
}
