package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/httpapi/client"
)

func newPair(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pair KIND LOGIN",
		Short: "Pair an account of GitHub or another forge",
		Long: `Stores an access token of a forge, for private repositories, commit statuses and
what CI says. KIND is github, gitlab, gitea or bitbucket, and LOGIN your name there.
The token is verified, stored encrypted, and never shown. Create one that can read
code and write commit statuses.`,
		Example: `  webhooks pair github dscape
  webhooks pair gitlab dscape --forge gitlab.example.com --app hello --token-file token`,
		Args: exactly(2),
	}
	host := cmd.Flags().String("forge", "", "host of the forge; default: the public one of its kind")
	app := cmd.Flags().String("app", "", "the one app that the token is for; default: all")
	file := cmd.Flags().String("token-file", "", "file with the access token, - for stdin; default: WEBHOOKS_FORGE_TOKEN, or a prompt")
	return onAPI(cmd, streams, shortCall, func(ctx context.Context, s *apiSession, args []string) error {
		token, err := secretInput{
			what: fmt.Sprintf("Access token of %s at %s", args[1], args[0]), flag: "token-file", variable: "FORGE_TOKEN", file: *file,
		}.read(ctx, streams)
		if err != nil {
			return err
		}
		pairing, err := s.api.Pair(ctx, args[0], client.PairOptions{Host: *host, App: *app, Login: args[1], Token: token})
		if err != nil {
			return err
		}
		scopes := ""
		if len(pairing.Scopes) > 0 {
			scopes = " with " + strings.Join(pairing.Scopes, ", ")
		}
		return s.done(pairing, "paired with %s at %s%s", pairing.Login, pairing.Provider, scopes)
	})
}
