package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newAppsSource(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "source APP [SOURCE]",
		Short: "Show or change what an app is deployed from",
		Long: `Shows which repository, branch and folder an app is deployed from, or changes it.
An app belongs to the source whose delivery deployed it first; deliveries from
another one are refused unless their webhook's URL names the app (app=NAME).`,
		Example: `  webhooks apps source hello --user dscape
  webhooks apps source hello github.com/dscape/hello@main --user dscape
  webhooks apps source hello github.com/dscape/all@main:packages/api --user dscape
  webhooks apps source hello --any --user dscape    # what is delivered next`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return &usageError{fmt.Errorf("%s takes an app and optionally its new source; see `%[1]s --help`", cmd.CommandPath())}
			}
			if len(args) == 2 {
				return checkSource(args[1])
			}
			return nil
		},
	}
	whatever := cmd.Flags().Bool("any", false, "let the next delivery say what the app is deployed from")
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, args []string) error {
		if *whatever && len(args) == 2 {
			return &usageError{errors.New("set either a source or --any")}
		}
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			source := app.Source
			if *whatever || len(args) == 2 {
				if source = ""; len(args) == 2 {
					source = args[1]
				}
				if err := s.client.SetSource(ctx, s.user, app.Name, source); err != nil {
					return err
				}
			}
			return s.done(map[string]string{"app": app.Name, "source": source}, "%s", cmp.Or(source, "any: the next delivery"))
		})
	})
}

// checkSource returns an error unless text names a repository and a branch.
func checkSource(text string) error {
	repository, branch, _ := strings.Cut(text, "@")
	if strings.Count(repository, "/") < 2 || strings.Trim(repository, "/") != repository || branch == "" || repository != strings.ToLower(repository) {
		return &usageError{fmt.Errorf("invalid source %.200q: want HOST/OWNER/NAME@BRANCH in lower case, or HOST/OWNER/NAME@BRANCH:FOLDER", text)}
	}
	return nil
}
