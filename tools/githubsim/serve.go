package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// list is a flag that may be repeated.
type list []string

// String implements [flag.Value].
func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements [flag.Value].
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

type settings struct {
	dir, listen, archiveListen, hookType, secretFile string
	public, private, users, hooks                    list
	verbose                                          bool
}

func readSettings(args []string, stdout io.Writer) (settings, error) {
	var c settings
	flags := flag.NewFlagSet("githubsim", flag.ContinueOnError)
	flags.StringVar(&c.dir, "dir", "", "`folder` of the repositories, OWNER/NAME.git below it (required)")
	flags.StringVar(&c.listen, "listen", "127.0.0.1:0", "`address` of the API; port 0 takes a free one")
	flags.StringVar(&c.archiveListen, "archive-listen", "127.0.0.1:0", "`address` that tarballs come from")
	flags.Var(&c.public, "repo", "make the public repository `OWNER/NAME` unless it is there; may be repeated")
	flags.Var(&c.private, "private", "the same, for a private one")
	flags.Var(&c.users, "user", "`LOGIN:TOKEN[:SCOPE,…]`: a token and whose it is; without scopes a fine-grained one; may be repeated")
	flags.Var(&c.hooks, "hook", "`OWNER/NAME=URL`: post that repository's pushes to a URL, which may hold user:password@; may be repeated")
	flags.StringVar(&c.hookType, "hook-type", "json", "content type of the webhooks, json or form")
	flags.StringVar(&c.secretFile, "hook-secret-file", "", "`file` with the secret that signs the webhooks")
	flags.BoolVar(&c.verbose, "verbose", false, "log each request and delivery to standard error")
	if err := parse(flags, args, stdout); err != nil {
		return c, err
	}
	if c.dir == "" {
		return c, usageError{errors.New("--dir is missing")}
	}
	if flags.NArg() > 0 {
		return c, usageError{fmt.Errorf("unexpected argument %q", flags.Arg(0))}
	}
	return c, nil
}

// addressFile is the file in the folder of the repositories with the address of
// the githubsim that serves it, for `githubsim pushed`.
func addressFile(dir string) string { return filepath.Join(dir, "address") }

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	c, err := readSettings(args, stdout)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.verbose {
		level = slog.LevelDebug
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	server := sim.New(sim.Options{
		Dir: c.dir, HookProgram: program,
		Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
	})
	if err := server.Start(ctx, c.listen, c.archiveListen); err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, server.Stop(stopCtx))
	}()
	if err := os.WriteFile(addressFile(c.dir), []byte(server.URL()), 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(addressFile(c.dir))) }()
	if _, err := fmt.Fprintf(stdout, "api %s\narchive %s\n", server.URL(), server.ArchiveHost()); err != nil {
		return err
	}
	if err := furnish(ctx, server, c, stdout); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// furnish creates the repositories, users and webhooks that the flags name.
func furnish(ctx context.Context, server *sim.Server, c settings, stdout io.Writer) error {
	for _, user := range c.users {
		login, rest, ok := strings.Cut(user, ":")
		token, scopes, classic := strings.Cut(rest, ":")
		if !ok || login == "" || token == "" {
			return usageError{errors.New("--user is not LOGIN:TOKEN[:SCOPE,…]")}
		}
		var list []string
		if classic {
			list = strings.FieldsFunc(scopes, func(r rune) bool { return r == ',' })
		}
		server.AddUser(login, token, list)
	}
	for i, slug := range append(append(list{}, c.public...), c.private...) {
		owner, name, ok := strings.Cut(slug, "/")
		if !ok {
			return usageError{fmt.Errorf("%q is not OWNER/NAME", slug)}
		}
		dir, err := server.CreateRepository(ctx, owner, name, i >= len(c.public))
		if errors.Is(err, core.ErrConflict) {
			dir, err = server.GitDir(owner, name)
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "repository %s %s\n", slug, dir); err != nil {
			return err
		}
	}
	secret := ""
	if c.secretFile != "" {
		text, err := os.ReadFile(c.secretFile)
		if err != nil {
			return err
		}
		secret = strings.TrimSpace(string(text))
	}
	for _, hook := range c.hooks {
		slug, to, _ := strings.Cut(hook, "=")
		owner, name, ok := strings.Cut(slug, "/")
		if !ok {
			return usageError{errors.New("--hook is not OWNER/NAME=URL")}
		}
		ping, err := server.Hook(ctx, owner, name, to, sim.HookOptions{Secret: core.NewSecret(secret), ContentType: c.hookType})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "hook %s %s\n", slug, outcome(ping.Status, ping.Err)); err != nil {
			return err
		}
	}
	return nil
}

// outcome describes the answer to a webhook.
func outcome(status int, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(status)
}
