package project_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// files is a repository: paths and what is in them.
type files map[string]string

func (f files) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustRead(t *testing.T, f files, root string) project.Project {
	t.Helper()
	p, err := project.Read(f.write(t), root)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	npmLock   = "package-lock.json"
	berryLock = "# This file\n\n__metadata:\n  version: 8\n  cacheKey: 10c0\n\n\"a@npm:1\":\n  version: 1.0.0\n"
)

// Which package manager it is, in which versions.
func TestManager(t *testing.T) {
	t.Parallel()
	type want struct{ name, version, allowed, prefer, lock string }
	for name, test := range map[string]struct {
		files files
		want  want
	}{
		"nothing":             {files{"package.json": `{}`}, want{"npm", "", "", "<12", ""}},
		"package-lock.json":   {files{"package.json": `{}`, npmLock: `{}`}, want{"npm", "", "", "<12", npmLock}},
		"npm-shrinkwrap.json": {files{"package.json": `{}`, npmLock: `{}`, "npm-shrinkwrap.json": `{}`}, want{"npm", "", "", "<12", "npm-shrinkwrap.json"}},
		"packageManager npm":  {files{"package.json": `{"packageManager":"npm@10.9.2"}`, npmLock: `{}`}, want{"npm", "10.9.2", "", "<12", npmLock}},
		"engines.npm":         {files{"package.json": `{"engines":{"npm":">=10"}}`}, want{"npm", "", ">=10", "<12", ""}},
		"engines.npm, wrong":  {files{"package.json": `{"engines":{"npm":"please"}}`}, want{"npm", "", "", "<12", ""}},
		"yarn 1":              {files{"package.json": `{}`, "yarn.lock": "# yarn lockfile v1\n\n"}, want{"yarn", "", "1", "", "yarn.lock"}},
		"yarn 4":              {files{"package.json": `{}`, "yarn.lock": berryLock}, want{"yarn", "", "4", "", "yarn.lock"}},
		"yarn 3":              {files{"package.json": `{}`, "yarn.lock": "__metadata:\n  version: 6\n"}, want{"yarn", "", "3", "", "yarn.lock"}},
		"yarn 2":              {files{"package.json": `{}`, "yarn.lock": "__metadata:\n  cacheKey: 7\n  version: 4\n"}, want{"yarn", "", "2", "", "yarn.lock"}},
		"packageManager yarn": {files{"package.json": `{"packageManager":"yarn@4.5.0+sha224.abc"}`, "yarn.lock": berryLock}, want{"yarn", "4.5.0", "", "", "yarn.lock"}},
		"yarnPath": {
			files{"package.json": `{}`, "yarn.lock": berryLock, ".yarnrc.yml": "yarnPath: .yarn/releases/yarn-4.1.1.cjs\n"},
			want{"yarn", "4.1.1", "4", "", "yarn.lock"},
		},
		"pnpm 6":               {files{"package.json": `{}`, "pnpm-lock.yaml": "lockfileVersion: 5.3\n"}, want{"pnpm", "", "", "6", "pnpm-lock.yaml"}},
		"pnpm 7":               {files{"package.json": `{}`, "pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, want{"pnpm", "", "", "7", "pnpm-lock.yaml"}},
		"pnpm 8":               {files{"package.json": `{}`, "pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, want{"pnpm", "", "", "8", "pnpm-lock.yaml"}},
		"pnpm 9 to 12":         {files{"package.json": `{}`, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, want{"pnpm", "", "", "10", "pnpm-lock.yaml"}},
		"pnpm, settings of 11": {files{"package.json": `{}`, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n", "pnpm-workspace.yaml": "allowBuilds:\n  esbuild: true\n"}, want{"pnpm", "", "", "11", "pnpm-lock.yaml"}},
		"pnpm, two documents":  {files{"package.json": `{"packageManager":"pnpm@12.21.0"}`, "pnpm-lock.yaml": "---\nlockfileVersion: '6.0'\n---\nlockfileVersion: '9.0'\n"}, want{"pnpm", "12.21.0", "", "10", "pnpm-lock.yaml"}},
		"engines.pnpm":         {files{"package.json": `{"engines":{"pnpm":"^9"}}`, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, want{"pnpm", "", "^9", "10", "pnpm-lock.yaml"}},
		"pnpm without lock":    {files{"package.json": `{"packageManager":"pnpm@9.0.0"}`}, want{"pnpm", "9.0.0", "", "10", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mustRead(t, test.files, "").Manager
			if got := (want{m.Name, m.Version, m.Range, m.Prefer, m.Lockfile}); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if m.Source == "" {
				t.Error("it doesn't say why")
			}
		})
	}
}

// What an app can't be made of is refused by a sentence that names it.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files files
		root  string
		wants []string
	}{
		"no package.json":     {files{"x": ""}, "", []string{"no package.json"}},
		"no root":             {files{"package.json": "{}"}, "apps/web", []string{"apps/web", "package.json"}},
		"not JSON":            {files{"package.json": "{"}, "", []string{"package.json"}},
		"not an object":       {files{"package.json": "[]"}, "", []string{"JSON object"}},
		"null":                {files{"package.json": "null"}, "", []string{"JSON object"}},
		"two lockfiles":       {files{"package.json": "{}", npmLock: "{}", "yarn.lock": ""}, "", []string{"package-lock.json, yarn.lock", "remove"}},
		"three lockfiles":     {files{"package.json": "{}", npmLock: "{}", "yarn.lock": "", "pnpm-lock.yaml": ""}, "", []string{"package-lock.json, yarn.lock, pnpm-lock.yaml"}},
		"another's lockfile":  {files{"package.json": `{"packageManager":"pnpm@9.0.0"}`, "yarn.lock": ""}, "", []string{"pnpm@9.0.0", "yarn.lock"}},
		"no such manager":     {files{"package.json": `{"packageManager":"bun@1.0.0"}`}, "", []string{"bun@1.0.0"}},
		"no version":          {files{"package.json": `{"packageManager":"pnpm"}`}, "", []string{`"pnpm"`, "version"}},
		"evil version":        {files{"package.json": `{"packageManager":"npm@1.0.0/../../x"}`}, "", []string{"packageManager"}},
		"manager not a text":  {files{"package.json": `{"packageManager":{}}`}, "", []string{"packageManager"}},
		"health not a text":   {files{"package.json": `{"health":{"path":"/up"}}`}, "", []string{"health", "/healthz"}},
		"static not a text":   {files{"package.json": `{"webhooks":{"static":true}}`}, "", []string{"webhooks.static"}},
		"cron":                {files{"package.json": `{"webhooks":{"cron":[{"schedule":"0 25 * * *","command":"x"}]}}`}, "", []string{"webhooks.cron", "0 25 * * *", "hour"}},
		"cron, no list":       {files{"package.json": `{"webhooks":{"cron":"0 3 * * * x"}}`}, "", []string{"webhooks.cron", "a list"}},
		"cron, no command":    {files{"package.json": `{"webhooks":{"cron":[{"schedule":"@daily"}]}}`}, "", []string{"webhooks.cron", "command"}},
		"sticky":              {files{"package.json": `{"webhooks":{"sticky":"yes"}}`}, "", []string{"webhooks.sticky", "true or false"}},
		"switch":              {files{"package.json": `{"webhooks":{"switch":"slow"}}`}, "", []string{"webhooks.switch", `"slow"`, "stop-first"}},
		"static climbs":       {files{"package.json": `{"webhooks":{"static":"../x"}}`}, "", []string{"webhooks.static"}},
		"engines":             {files{"package.json": `{"engines":{"node":"somewhat new"}}`}, "", []string{"engines.node in package.json", "somewhat new"}},
		"engines, evil":       {files{"package.json": `{"engines":{"node":"20; rm -rf /"}}`}, "", []string{"engines.node"}},
		".nvmrc":              {files{"package.json": "{}", ".nvmrc": "iron-ish"}, "", []string{".nvmrc", "iron-ish"}},
		"Procfile":            {files{"package.json": "{}", "Procfile": "web node x\n"}, "", []string{"Procfile", "web node x"}},
		"Procfile, twice":     {files{"package.json": "{}", "Procfile": "web: a\nweb: b\n"}, "", []string{"Procfile", `"web" twice`}},
		"member not JSON":     {files{"package.json": `{"workspaces":["a"]}`, "a/package.json": "["}, "", []string{"a/package.json"}},
		"package.json folder": {files{"package.json/x": ""}, "", []string{"package.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := project.Read(test.files.write(t), test.root)
			if core.CodeOf(err) != core.CodePlatformBuildFailed {
				t.Fatalf("got %v", err)
			}
			for _, want := range test.wants {
				if reason := core.AsError(err).Reason; !strings.Contains(reason, want) || strings.Contains(reason, "\n") {
					t.Errorf("the reason is %q, want one with %q", reason, want)
				}
			}
		})
	}
}

// Which Node.js it is.
func TestNode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files       files
		in, out     string // versions that do and don't match
		text, where string
	}{
		"nothing":         {files{"package.json": "{}"}, "20.19.0", "21.9.0", "", ""},
		"engines":         {files{"package.json": `{"engines":{"node":"18 || >=22.5"}}`, ".nvmrc": "20"}, "22.6.0", "20.0.0", "18 || >=22.5", "engines.node in package.json"},
		"engines, number": {files{"package.json": `{"engines":{"node":18}}`}, "18.0.0", "20.0.0", "18", "engines.node in package.json"},
		"engines, old":    {files{"package.json": `{"engines":["node ~0.8"]}`}, "0.8.1", "0.9.0", "~0.8", "engines.node in package.json"},
		".node-version":   {files{"package.json": "{}", ".node-version": "v20.1.0\n", ".nvmrc": "18"}, "20.1.0", "20.1.1", "v20.1.0", ".node-version"},
		".nvmrc":          {files{"package.json": "{}", ".nvmrc": "# ours\n\n 20 # LTS\r\n"}, "20.5.0", "21.0.0", "20", ".nvmrc"},
		"lts/*":           {files{"package.json": `{"engines":{"node":"lts/*"}}`}, "22.20.0", "23.9.9", "lts/*", "engines.node in package.json"},
		"lts/iron":        {files{"package.json": "{}", ".nvmrc": "lts/Iron"}, "20.5.0", "22.20.0", "lts/Iron", ".nvmrc"},
		"node":            {files{"package.json": "{}", ".nvmrc": "node"}, "23.0.0", "", "node", ".nvmrc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := mustRead(t, test.files, "").Node
			if in, _ := npmsemver.ParseVersion(test.in); !n.Matches(in) {
				t.Errorf("%s does not match", in)
			}
			if out, ok := npmsemver.ParseVersion(test.out); ok && n.Matches(out) {
				t.Errorf("%s matches", out)
			}
			if n.Text != test.text || n.Source != test.where {
				t.Errorf("got %q of %q", n.Text, n.Source)
			}
		})
	}
}

// planned returns the plan of a project whose package manager has that version.
func planned(p project.Project, major int, env map[string]string) project.Plan {
	p.Manager.Major = major
	return p.Plan(env)
}

func args(scripts []project.Script) []string {
	var all []string
	for _, s := range scripts {
		all = append(all, strings.Join(append([]string{s.Dir + "$"}, s.Args...), " "))
	}
	return all
}

func TestPlan(t *testing.T) {
	t.Parallel()
	const dev = `"dependencies":{"a":"1"},"devDependencies":{"b":"1"}`
	build := `{` + dev + `,"scripts":{"build":"b"}}`
	type want struct {
		install, prune string
		build, own     []string
		full           bool
	}
	for name, test := range map[string]struct {
		files files
		root  string
		major int
		env   map[string]string
		want  want
	}{
		"nothing":            {files{"package.json": `{"scripts":{"start":"x"},"devDependencies":{"b":"1"}}`}, "", 11, nil, want{}},
		"npm, production":    {files{"package.json": `{` + dev + `}`, npmLock: "{}"}, "", 11, nil, want{install: "ci --omit=dev --prefer-offline"}},
		"npm without lock":   {files{"package.json": `{` + dev + `}`}, "", 11, nil, want{install: "install --omit=dev --prefer-offline"}},
		"npm, start by dev":  {files{"package.json": `{` + dev + `,"scripts":{"start":"npm run serve","serve":"b server.js"}}`, npmLock: "{}"}, "", 11, nil, want{"ci --include=dev --prefer-offline", "prune --omit=dev --ignore-scripts", nil, nil, true}},
		"npm, tsc in start":  {files{"package.json": `{"devDependencies":{"typescript":"5"},"scripts":{"start":"tsc && node dist"}}`, npmLock: "{}"}, "", 11, nil, want{"ci --include=dev --prefer-offline", "prune --omit=dev --ignore-scripts", nil, nil, true}},
		"npm, prestart":      {files{"package.json": `{` + dev + `,"scripts":{"prestart":"b","start":"node x"}}`, npmLock: "{}"}, "", 11, nil, want{"ci --include=dev --prefer-offline", "prune --omit=dev --ignore-scripts", nil, nil, true}},
		"npm, build":         {files{"package.json": build, npmLock: "{}"}, "", 11, nil, want{"ci --include=dev --prefer-offline", "prune --omit=dev --ignore-scripts", []string{".$ run build"}, nil, true}},
		"npm 6, build":       {files{"package.json": build, npmLock: "{}"}, "", 6, nil, want{"ci --production=false --prefer-offline", "prune --production=true --ignore-scripts", []string{".$ run build"}, nil, true}},
		"build without dev":  {files{"package.json": `{"dependencies":{"a":"1"},"scripts":{"build":"b"}}`, npmLock: "{}"}, "", 11, nil, want{install: "ci --omit=dev --prefer-offline", build: []string{".$ run build"}}},
		"lifecycle":          {files{"package.json": `{` + dev + `,"scripts":{"prepare":"husky","postinstall":"x","preinstall":"y"}}`, npmLock: "{}"}, "", 11, nil, want{"ci --include=dev --prefer-offline", "prune --omit=dev --ignore-scripts", nil, []string{".$ run postinstall", ".$ run prepare"}, true}},
		"heroku-postbuild":   {files{"package.json": `{` + dev + `,"scripts":{"build":"b","heroku-postbuild":"c"}}`, npmLock: "{}"}, "", 11, nil, want{"ci --include=dev --prefer-offline", "prune --omit=dev --ignore-scripts", []string{".$ run heroku-postbuild"}, nil, true}},
		"kept":               {files{"package.json": build, npmLock: "{}"}, "", 11, map[string]string{"NPM_CONFIG_PRODUCTION": "false"}, want{install: "ci --include=dev --prefer-offline", build: []string{".$ run build"}, full: true}},
		"yarn 1":             {files{"package.json": build, "yarn.lock": ""}, "", 1, nil, want{"install --production=false --ignore-engines --prefer-offline --non-interactive --no-progress --frozen-lockfile", "install --production=true --ignore-engines --prefer-offline --non-interactive --no-progress --frozen-lockfile --ignore-scripts", []string{".$ run build"}, nil, true}},
		"yarn 1, production": {files{"package.json": `{` + dev + `}`, "yarn.lock": ""}, "", 1, nil, want{install: "install --production=true --ignore-engines --prefer-offline --non-interactive --no-progress --frozen-lockfile"}},
		"yarn 4":             {files{"package.json": `{` + dev + `,"scripts":{"postinstall":"x","prepare":"y"}}`, "yarn.lock": berryLock}, "", 4, nil, want{"install --immutable", "workspaces focus --production --all", nil, []string{".$ run postinstall"}, true}},
		"yarn 3":             {files{"package.json": build, "yarn.lock": "__metadata:\n  version: 6\n"}, "", 3, nil, want{install: "install --immutable", build: []string{".$ run build"}, full: true}},
		"yarn 3, its plugin": {files{"package.json": build, "yarn.lock": "__metadata:\n  version: 6\n", ".yarnrc.yml": "plugins:\n  - path: .yarn/plugins/@yarnpkg/plugin-workspace-tools.cjs\n"}, "", 3, nil, want{"install --immutable", "workspaces focus --production --all", []string{".$ run build"}, nil, true}},
		"pnpm":               {files{"package.json": build, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, "", 10, nil, want{"install --prefer-offline --prod=false --frozen-lockfile", "prune --prod --ignore-scripts", []string{".$ run build"}, nil, true}},
		"pnpm, production":   {files{"package.json": `{` + dev + `}`, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, "", 10, nil, want{install: "install --prefer-offline --prod=true --frozen-lockfile"}},
		"npm workspace, its app": {
			files{"package.json": `{"workspaces":["apps/*","libs/*"]}`, npmLock: "{}", "apps/web/package.json": `{"name":"web","dependencies":{"ui":"*"},"scripts":{"build":"b"}}`, "libs/ui/package.json": `{"name":"ui","dependencies":{"core":"*"},"devDependencies":{"t":"1"},"scripts":{"build":"b"}}`, "libs/core/package.json": `{"name":"core","scripts":{"build":"b"}}`, "libs/other/package.json": `{"name":"other","scripts":{"build":"b"}}`},
			"apps/web", 11, nil,
			want{"ci --include=dev --prefer-offline", "prune --omit=dev --ignore-scripts", []string{"libs/core$ run build", "libs/ui$ run build", "apps/web$ run build"}, nil, true},
		},
		"pnpm workspace with Turborepo": {
			files{"package.json": `{"devDependencies":{"turbo":"2"}}`, "turbo.json": "{}", "pnpm-workspace.yaml": "packages:\n  - 'apps/*'\n  - libs/**\n", "pnpm-lock.yaml": "lockfileVersion: '9.0'\n", "apps/web/package.json": `{"name":"@org/web","scripts":{"build":"b"}}`},
			"apps/web/", 10, nil,
			want{"install --prefer-offline --prod=false --frozen-lockfile", "install --prefer-offline --prod=true --frozen-lockfile --offline", []string{".$ exec turbo run build --filter=@org/web"}, nil, true},
		},
		"not a member": {
			files{"package.json": `{"workspaces":["libs/*","!apps/web"],"devDependencies":{"t":"1"}}`, "apps/web/package.json": `{"dependencies":{"a":"1"}}`, "apps/web/" + npmLock: "{}"},
			"apps/web", 11, nil,
			want{install: "ci --omit=dev --prefer-offline"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := planned(mustRead(t, test.files, test.root), test.major, test.env)
			got := want{strings.Join(plan.Install, " "), strings.Join(plan.Prune, " "), args(plan.Build), args(plan.Own), plan.Full}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%+v, want\n%+v", got, test.want)
			}
		})
	}
}

// The folder and the members of a workspace.
func TestWorkspace(t *testing.T) {
	t.Parallel()
	f := files{
		"package.json":            `{"name":"top","workspaces":{"packages":["packages/*","tools/**","!packages/old"]}}`,
		"packages/a/package.json": `{"name":"a"}`, "packages/old/package.json": `{"name":"old"}`, "packages/none/x": "",
		"tools/x/y/package.json": `{"name":"y"}`, "tools/x/node_modules/m/package.json": `{"name":"m"}`, ".hidden/package.json": "{",
		"alone/package.json": `{"name":"alone"}`,
	}
	p := mustRead(t, f, "packages/a")
	var names []string
	for _, m := range p.Members {
		names = append(names, m.Package.Name)
	}
	if p.Workspace.Dir != "." || p.App.Dir != "packages/a" || !slices.Equal(names, []string{"a", "y"}) {
		t.Errorf("workspace %s, app %s, members %v", p.Workspace.Dir, p.App.Dir, names)
	}
	if p := mustRead(t, f, "alone"); p.Workspace.Dir != "alone" || len(p.Members) != 0 {
		t.Errorf("workspace %s, members %v", p.Workspace.Dir, p.Members)
	}
	if p := mustRead(t, f, "../../packages/a"); p.App.Dir != "packages/a" {
		t.Errorf("a root that climbs is %s", p.App.Dir)
	}
	// Of both the settings of the inner one count.
	f["packages/a/.nvmrc"], f[".nvmrc"] = "18", "20"
	if p := mustRead(t, f, "packages/a"); p.Node.Text != "18" || p.Node.Source != "packages/a/.nvmrc" {
		t.Errorf("Node.js %q of %s", p.Node.Text, p.Node.Source)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	lock := "lockfileVersion: '9.0'\n"
	for name, test := range map[string]struct {
		files  files
		major  int
		name   string
		wanted string
	}{
		"pnpm 10 runs all scripts":    {files{"package.json": `{"dependencies":{"a":"1"}}`, "pnpm-lock.yaml": lock}, 10, "npm_config_dangerously_allow_all_builds", "true"},
		"unless some are listed":      {files{"package.json": `{"dependencies":{"a":"1"},"pnpm":{"onlyBuiltDependencies":["a"]}}`, "pnpm-lock.yaml": lock}, 10, "npm_config_dangerously_allow_all_builds", ""},
		"or they are in its file":     {files{"package.json": `{"dependencies":{"a":"1"}}`, "pnpm-lock.yaml": lock, "pnpm-workspace.yaml": "onlyBuiltDependencies:\n  - a\n"}, 10, "npm_config_dangerously_allow_all_builds", ""},
		"or its version is asked":     {files{"package.json": `{"packageManager":"pnpm@10.0.0","dependencies":{"a":"1"}}`, "pnpm-lock.yaml": lock}, 10, "npm_config_dangerously_allow_all_builds", ""},
		"pnpm 11's names":             {files{"package.json": `{"packageManager":"pnpm@11.0.0","dependencies":{"a":"1"}}`, "pnpm-lock.yaml": lock}, 11, "pnpm_config_package_import_method", "copy"},
		"PnP is self-contained":       {files{"package.json": `{"dependencies":{"a":"1"}}`, "yarn.lock": berryLock}, 4, "YARN_ENABLE_GLOBAL_CACHE", "false"},
		"node_modules need not be":    {files{"package.json": `{"dependencies":{"a":"1"}}`, "yarn.lock": berryLock, ".yarnrc.yml": "nodeLinker: \"node-modules\" # as before\n"}, 4, "YARN_ENABLE_GLOBAL_CACHE", ""},
		"yarn 4 runs all scripts":     {files{"package.json": `{"dependencies":{"a":"1"}}`, "yarn.lock": berryLock}, 4, "YARN_ENABLE_SCRIPTS", "1"},
		"unless scripts are disabled": {files{"package.json": `{"dependencies":{"a":"1"}}`, "yarn.lock": berryLock, ".yarnrc.yml": "enableScripts: false\n"}, 4, "YARN_ENABLE_SCRIPTS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := planned(mustRead(t, test.files, ""), test.major, nil).Env[test.name]; got != test.wanted {
				t.Errorf("%s is %q, want %q", test.name, got, test.wanted)
			}
		})
	}
}
