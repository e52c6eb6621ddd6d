package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/pack"
)

func newDeploy(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deploy [FOLDER|GIT-URL]",
		Short: "Deploy an app from a folder or a git repository, without a push",
		Long: `Packs a folder, by default this one, uploads it to a platform, shows how it is
built, starts the app and prints its URL, alone on stdout. An app that is not
there yet is created.

The folder is packed as ` + "`npm pack`" + ` does, with the lockfile: .npmignore, else
.gitignore, says what is left out, and node_modules, .git and .npmrc never go
along. package.json must name the app, or --app does. A repository is cloned
first, as shallow as can be, by https, ssh or file; behind # or by --ref stands
a branch, a tag or the id of a commit.

Where the build or the start fails, the exit code is 1, and the version that ran
before goes on running.`,
		Example: `  webhooks deploy --user dscape
  webhooks deploy ./site --user dscape --app site-staging --to https://platform.example.com
  webhooks deploy 'https://github.com/dscape/hello.git#v1.2.0' --user dscape
  WEBHOOKS_PASSWORD=$TOKEN webhooks deploy --user ci > url`,
		Args: atMostOne,
	}
	d := &deployment{}
	cmd.Flags().StringVar(&d.app, "app", "", "name of the app; default: the name in package.json")
	cmd.Flags().StringVar(&d.ref, "ref", "", "branch, tag or id of a commit of the repository")
	limit := cmd.Flags().Duration("timeout", 30*time.Minute, "limit of all of it")
	return asUser(cmd, streams, 0, func(ctx context.Context, s *session, args []string) error {
		ctx, cancel := context.WithTimeout(ctx, *limit)
		defer cancel()
		run := *d
		run.session, run.from, run.begun = s, ".", time.Now()
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
	begun          time.Time
}

func (d *deployment) deploy(ctx context.Context) (err error) {
	if d.app != "" {
		if _, err := appArgument(d.app); err != nil {
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
		return packed(err)
	}
	defer folder.Close() //nolint:errcheck // only read
	pkg, err := d.describe(folder.Manifest)
	if err != nil {
		return err
	}
	d.say("Packing %d files, %s", len(folder.Files), size(folder.Size))
	if len(folder.LeftOut) > 0 {
		d.say("Left out, as npm does: %s", printable(some(folder.LeftOut)))
	}
	before, err := d.create(ctx, pkg)
	if err != nil {
		return err
	}
	snapshot := deploymentID(folder.Manifest.Version, src.commit, d.begun)
	if err := d.build(ctx, folder, pkg, snapshot); err != nil {
		return d.buildFailed(err, before)
	}
	d.say("Starting %s", snapshot)
	address, err := nodejitsu.NewPlatform(d.client).Start(ctx, d.user, pkg, snapshot, deploy.Order{})
	if err != nil {
		return d.startFailed(ctx, err, before, snapshot)
	}
	d.say("Deployed %s as %s in %s", pkg.Name, snapshot, took(d.begun))
	if address == "" {
		d.say("The platform does not tell where %s answers; see `webhooks apps view %[1]s`", pkg.Name)
		return nil
	}
	_, err = fmt.Fprintln(d.streams.Stdout, printable(address))
	return err
}

// source returns the folder, after cloning it where it is a repository.
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

func packed(err error) error {
	return &told{printable(strings.TrimPrefix(err.Error(), "pack: ")), err}
}

// describe returns the app as the platform is told of it.
func (d *deployment) describe(m pack.Manifest) (deploy.Package, error) {
	if d.app == "" {
		switch {
		case m.Name == "":
			return deploy.Package{}, errors.New("package.json has no name; name the app by --app")
		case !core.ValidName(m.Name):
			return deploy.Package{}, fmt.Errorf("the name %.100q in package.json can't be an app's; give another by --app: "+
				"lower-case letters, digits, '.', '_' and '-', at most %d, beginning with a letter or digit", m.Name, core.MaxName)
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

// create makes the app where there is none, and returns what there is.
func (d *deployment) create(ctx context.Context, pkg deploy.Package) (nodejitsu.App, error) {
	before, err := d.client.App(ctx, d.user, pkg.Name)
	if !errors.Is(err, core.ErrNotFound) {
		return before, err
	}
	d.say("Creating the app %s", pkg.Name)
	return nodejitsu.App{}, nodejitsu.NewPlatform(d.client).Create(ctx, d.user, pkg)
}

// build uploads the folder while it is packed, and shows how it is built.
func (d *deployment) build(ctx context.Context, folder *pack.Folder, pkg deploy.Package, snapshot string) error {
	_, terminal := terminalOf(d.streams.Stderr)
	shown := newUpload(d.streams.Stderr, terminal && variable(d.streams, "TERM") != "dumb", folder.Size)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(folder.Write(ctx, w, shown.add)) // it never fails
	}()
	body, out := &sent{r: r, shown: shown}, &cleaner{w: d.streams.Stderr}
	err := nodejitsu.NewPlatform(d.client).Upload(ctx, d.user, pkg.Name, snapshot, body, &built{w: out, shown: shown})
	_ = r.CloseWithError(errEnough) // it never fails
	<-done
	shown.end(err == nil)
	if flushed := out.flush(); err == nil {
		err = flushed
	}
	if err == nil && !body.begun {
		d.say("This commit was built already, as %s", snapshot)
	}
	return err
}

var errEnough = errors.New("the platform reads no further")

// sent is the body of the upload. It begins when the platform wants it.
type sent struct {
	r     io.Reader
	shown *upload
	begun bool
}

// Read reads on.
func (s *sent) Read(p []byte) (int, error) {
	s.begun = true
	s.shown.start()
	return s.r.Read(p)
}

// built takes what the build prints. When it begins, the upload is over.
type built struct {
	w     io.Writer
	shown *upload
}

// Write passes it on.
func (b *built) Write(p []byte) (int, error) {
	b.shown.end(true)
	return b.w.Write(p)
}

func (d *deployment) buildFailed(err error, before nodejitsu.App) error {
	refused, ok := errors.AsType[*nodejitsu.Error](err)
	if !ok || refused.Status != 0 {
		return err // nothing was built
	}
	if _, passing := core.Retryable(err); passing {
		return &told{printable(refused.Message) + "\nThe platform is at fault, not the app: deploy again later", err}
	}
	return &told{"the build failed: " + printable(refused.Message) +
		"\nWhat it printed last stands above. Mend that and deploy again" + goesOn(before), err}
}

// startFailed tells what an app wrote last, and makes the snapshot active again
// that was: the next start must not take the one that does not start.
func (d *deployment) startFailed(ctx context.Context, err error, before nodejitsu.App, snapshot string) error {
	refused, ok := startRefused(err)
	if !ok {
		return err
	}
	if before.Active != nil && before.Active.ID != snapshot {
		if failure := d.client.ActivateSnapshot(ctx, d.user, before.Name, before.Active.ID); failure != nil {
			d.say("%s is still the one that the next start takes: %s", snapshot, trimmed(failure))
		}
	}
	return &told{notStarted(refused) + goesOn(before), err}
}

// startRefused tells whether it is the app's fault that a start failed.
func startRefused(err error) (*nodejitsu.Error, bool) {
	refused, ok := errors.AsType[*nodejitsu.Error](err)
	_, passing := core.Retryable(err)
	return refused, ok && !passing && refused.Doing == "start app" && refused.Status >= http.StatusInternalServerError
}

// notStarted says why an app does not start, with its last lines, and what to
// do.
func notStarted(refused *nodejitsu.Error) string {
	return "the app did not start: " + strings.TrimRight(printable(refused.Message), "\n") +
		"\nAn app must go on running and listen on the port in $PORT. Mend what its last lines tell and deploy again"
}

func goesOn(before nodejitsu.App) string {
	if before.Running == nil {
		return ""
	}
	return fmt.Sprintf(";\nuntil then %s goes on running", before.Running.ID)
}

// deploymentID names a snapshot: of a commit as a push of it would be named, so
// that it is built once; else by the time, so that each is one to go back to.
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

// some lists a few of many.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
