package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/pack"
)

func newDeploy(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deploy [FOLDER|GIT-URL]",
		Short: "Deploy an app from a folder or a git repository, without a push",
		Long: `Packs a folder, by default the current one, uploads it to a platform, shows the
build, starts the app and prints its URL, alone on stdout; --output json prints
the app, the snapshot and the URL. A missing app is created.

The folder is packed as by ` + "`npm pack`" + `: .npmignore, or else .gitignore, lists what is
left out; .git is always left out, and node_modules but for bundled packages. What a
build goes by is always packed: the lockfile, the package manager's settings without
credentials, the version of Node.js, the Procfile. package.json must name the app,
unless --app does. A repository is cloned first, as shallow as possible, by https, ssh
or file; after # or by --ref you may set a branch, a tag or the id of a commit.

If the build or the start fails, the exit code is 1, and the version that ran
before is still running.`,
		Example: `  webhooks deploy --user dscape
  webhooks deploy ./site --user dscape --app site-staging --to https://platform.example.com
  webhooks deploy 'https://github.com/dscape/hello.git#v1.2.0' --user dscape
  WEBHOOKS_PASSWORD=$TOKEN webhooks deploy --user ci --output json | jq -r .url`,
		Args: atMostOne,
	}
	d := &deployment{}
	cmd.Flags().StringVar(&d.app, "app", "", "name of the app; default: the name in package.json")
	cmd.Flags().StringVar(&d.ref, "ref", "", "branch, tag or id of a commit of the repository")
	limit := cmd.Flags().Duration("timeout", 30*time.Minute, "time limit for the whole deployment")
	return asUser(cmd, streams, 0, func(ctx context.Context, s *session, args []string) error {
		ctx, cancel := context.WithTimeout(ctx, *limit)
		defer cancel()
		run := *d
		run.session, run.from, run.started = s, ".", time.Now()
		if len(args) == 1 {
			run.from = args[0]
		}
		return run.deploy(ctx)
	})
}

func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return &usageError{fmt.Errorf("%s takes one folder or URL, not %d; see `%[1]s --help`", cmd.CommandPath(), len(args))}
	}
	return nil
}

// deployment is one call of `webhooks deploy`.
type deployment struct {
	*session
	from, app, ref string
	started        time.Time
}

func (d *deployment) deploy(ctx context.Context) (err error) {
	if d.app != "" {
		if err := checkName("app", d.app); err != nil {
			return err
		}
	}
	src, err := d.source(ctx)
	if err != nil {
		return err
	}
	if src.remove != nil {
		defer func() { err = errors.Join(err, src.remove()) }()
	}
	folder, err := pack.Open(ctx, src.dir, pack.Limits{})
	if err != nil {
		return &messageError{printable(strings.TrimPrefix(err.Error(), "pack: ")), err}
	}
	defer folder.Close() //nolint:errcheck // only read
	pkg, err := d.describe(folder.Manifest)
	if err != nil {
		return err
	}
	d.say("Packing %s, %s", count(len(folder.Files), "file", "files"), size(folder.Size))
	if len(folder.LeftOut) > 0 {
		d.say("Left out, as npm does: %s", printable(some(folder.LeftOut)))
	}
	if len(folder.Cleaned) > 0 {
		d.say("Left out of %s: its credentials; refer to a variable, such as ${NPM_TOKEN}, and set it with webhooks apps env set", strings.Join(folder.Cleaned, " and "))
	}
	if len(folder.Missing) > 0 {
		d.say("Left out, though scripts.start names it: %s; it is ignored by .npmignore, .gitignore or files in package.json", printable(some(folder.Missing)))
	}
	before, err := d.create(ctx, pkg)
	if err != nil {
		return err
	}
	snapshot := deploymentID(folder.Manifest.Version, src.commit, d.started)
	if err := d.build(ctx, folder, pkg, snapshot); err != nil {
		return d.buildFailed(err, before)
	}
	d.say("Starting %s", snapshot)
	address, err := nodejitsu.NewPlatform(d.client).Start(ctx, d.user, pkg, snapshot, deploy.Order{})
	if err != nil {
		return startFailed(err, before)
	}
	d.say("Deployed %s as %s in %s", pkg.Name, snapshot, took(d.started))
	result := map[string]any{"app": pkg.Name, "snapshot": snapshot, "url": address, "seconds": time.Since(d.started).Seconds()}
	return d.result(result, func() error {
		if address == "" {
			d.say("The platform does not report the URL of %s; see `webhooks apps view %[1]s`", pkg.Name)
			return nil
		}
		return d.printf("%s\n", address)
	})
}

// source returns the folder, or a clone of the repository.
func (d *deployment) source(ctx context.Context) (source, error) {
	repo, ok, err := parseRepository(d.from, d.ref)
	if err != nil {
		return source{}, err
	}
	if !ok {
		return source{dir: d.from}, nil
	}
	d.say("Cloning %s", printable(repo.url))
	return repo.clone(ctx, d.streams)
}

// describe returns the app as it is described to the platform.
func (d *deployment) describe(m pack.Manifest) (deploy.Package, error) {
	if d.app == "" {
		switch {
		case m.Name == "":
			return deploy.Package{}, fmt.Errorf("package.json has no name for the app: add one to it, as in \"name\": %q, or run `webhooks deploy --app %[1]s`", proposed(d.from))
		case core.CheckName("app", m.Name) != nil:
			return deploy.Package{}, fmt.Errorf("package.json: %w; deploy with another name, as in --app %s", core.CheckName("app", m.Name), proposed(m.Name))
		}
		return deploy.Package{Name: m.Name, Fields: m.Fields}, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(m.Fields, &fields); err != nil {
		return deploy.Package{}, err
	}
	name, err := json.Marshal(d.app)
	if err != nil {
		return deploy.Package{}, err
	}
	fields["name"] = name
	text, err := json.Marshal(fields)
	return deploy.Package{Name: d.app, Fields: text}, err
}

// proposed returns a valid name for an app that is like text, which is a path, a
// URL or the name of a package.
func proposed(text string) string {
	if full, err := filepath.Abs(text); err == nil {
		text = filepath.Base(full)
	}
	text, _, _ = strings.Cut(text, "#")
	text = strings.TrimSuffix(strings.ToLower(text), ".git")
	name := strings.Trim(unfit.ReplaceAllString(text, "-"), "-")
	if core.CheckName("app", name) != nil {
		return "my-app"
	}
	return name
}

// unfit matches what no name of an app contains.
var unfit = regexp.MustCompile(`[^a-z0-9-]+`)

// create creates the app if it is missing, and returns it as it was before.
func (d *deployment) create(ctx context.Context, pkg deploy.Package) (nodejitsu.App, error) {
	before, err := d.client.App(ctx, d.user, pkg.Name)
	if !errors.Is(err, core.ErrNotFound) {
		return before, err
	}
	d.say("Creating the app %s", pkg.Name)
	return nodejitsu.App{}, nodejitsu.NewPlatform(d.client).Create(ctx, d.user, pkg)
}

// build uploads the folder while it is packed, and shows the build.
func (d *deployment) build(ctx context.Context, folder *pack.Folder, pkg deploy.Package, snapshot string) error {
	_, terminal := terminalOf(d.streams.Stderr)
	term, _ := config.Lookup(d.streams.Environ, "TERM")
	progress := newUpload(d.streams.Stderr, terminal && term != "dumb", folder.Size)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(folder.Write(ctx, w, progress.add)) // it never fails
	}()
	body, out := &uploadBody{r: r, progress: progress}, &cleaner{w: d.streams.Stderr}
	err := nodejitsu.NewPlatform(d.client).Upload(ctx, d.user, pkg, snapshot, body, &buildOutput{w: out, progress: progress})
	_ = r.CloseWithError(errors.New("the platform has stopped reading")) // it never fails
	<-done
	progress.end(err == nil)
	if flushErr := out.flush(); err == nil {
		err = flushErr
	}
	if err == nil && !body.read {
		d.say("This commit was built already, as %s", snapshot)
	}
	return err
}

// uploadBody starts the progress when the platform reads the body.
type uploadBody struct {
	r        io.Reader
	progress *upload
	read     bool
}

// Read reads from the body.
func (b *uploadBody) Read(p []byte) (int, error) {
	b.read = true
	b.progress.start()
	return b.r.Read(p)
}

// buildOutput ends the progress of the upload when the build prints something.
type buildOutput struct {
	w        io.Writer
	progress *upload
}

// Write writes output of the build.
func (b *buildOutput) Write(p []byte) (int, error) {
	b.progress.end(true)
	return b.w.Write(p)
}

func (d *deployment) buildFailed(err error, before nodejitsu.App) error {
	refused, ok := errors.AsType[*nodejitsu.Error](err)
	if !ok || refused.Status != 0 {
		return err // there was no build
	}
	if _, temporary := core.Retryable(err); temporary {
		return &messageError{printable(refused.Message) + "\nThis is a failure of the platform, not of the app: deploy again later", err}
	}
	return &messageError{"the build failed: " + printable(refused.Message) +
		"\nIts last output is above. Correct the problem and deploy again" + stillRunning(before), err}
}

// startFailed returns the last output of an app that did not start.
func startFailed(err error, before nodejitsu.App) error {
	refused, ok := startFailure(err)
	if !ok {
		return err
	}
	return &messageError{"the app did not start: " + strings.TrimRight(printable(refused.Message), "\n") +
		"\nAn app must keep running and listen on the port in $PORT. Correct the problem and deploy again" + stillRunning(before), err}
}

// startFailure returns the error of a start that failed because of the app.
func startFailure(err error) (*nodejitsu.Error, bool) {
	refused, ok := errors.AsType[*nodejitsu.Error](err)
	_, temporary := core.Retryable(err)
	return refused, ok && !temporary && refused.Doing == "start app" && refused.Status >= http.StatusInternalServerError
}

func stillRunning(before nodejitsu.App) string {
	if before.Running == nil {
		return ""
	}
	return fmt.Sprintf(";\n%s goes on running", before.Running.ID)
}

// deploymentID names a snapshot: of a commit as a push of it does, so that the
// commit is built once; else by the time, so that each deployment has its own.
func deploymentID(version, commit string, at time.Time) string {
	const commitDigits = 12
	unique := ""
	if commit != "" {
		unique = commit[:commitDigits]
	} else {
		unique = at.UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:4])
	}
	clean := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(version))
	clean = strings.TrimLeft(clean, ".-")
	if most := core.MaxName - 1 - len(unique); len(clean) > most {
		clean = clean[:most]
	}
	if clean == "" {
		clean = "0"
	}
	return clean + "-" + unique
}

// some lists at most a few names.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
