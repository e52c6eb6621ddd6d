package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// onPlatform makes cmd call the platform of a running server: the one that the
// settings name, else the embedded one of the data folder.
func onPlatform(cmd *cobra.Command, streams IO, do func(ctx context.Context, c *nodejitsu.Client, args []string) error) *cobra.Command {
	settings := config.Declare(cmd.Flags())
	settings.Show("data", "platform-url", "platform-key-file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		client, err := platformClient(cfg)
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
		defer cancel()
		return explain(do(ctx, client, args))
	}
	return cmd
}

// platformClient returns a client that acts for all users.
func platformClient(cfg config.Config) (*nodejitsu.Client, error) {
	url := cfg.PlatformURL
	if url == "" {
		text, err := os.ReadFile(cfg.PlatformURLFile())
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("no server runs on the data folder %s; start one with `webhooks serve`, or name its folder with --data", cfg.Data)
		}
		if err != nil {
			return nil, err
		}
		url = strings.TrimSpace(string(text))
	}
	key, err := cfg.PlatformKey()
	if err != nil {
		return nil, fmt.Errorf("the platform's key: %w", err)
	}
	return nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return url }, Username: core.ServiceUser,
		Password: func() core.Secret { return key },
	}), nil
}

// explain says what to do about a platform that does not answer.
func explain(err error) error {
	if _, passing := core.Retryable(err); passing {
		return fmt.Errorf("%w; does the server still run?", err)
	}
	return err
}

// name is a command's argument that names a user, checked.
func name(what, text string) (string, error) {
	if !core.ValidName(text) {
		return "", &usageError{fmt.Errorf("%q can't name %s: lower-case letters, digits, '.', '_' and '-' may stand in it, at most %d, beginning with a letter or digit",
			text, what, core.MaxName)}
	}
	return text, nil
}
