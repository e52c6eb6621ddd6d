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

// withPlatform calls do with a client of the platform of the settings.
func withPlatform(cmd *cobra.Command, streams IO, settings *config.Settings, do func(ctx context.Context, c *nodejitsu.Client, cfg config.Config) error) error {
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
	err = do(ctx, client, cfg)
	if _, temporary := core.Retryable(err); temporary {
		return fmt.Errorf("%w; is the server running?", err)
	}
	return err
}

// platformClient returns a client that may act for every user.
func platformClient(cfg config.Config) (*nodejitsu.Client, error) {
	url := cfg.PlatformURL
	if url == "" {
		text, err := os.ReadFile(cfg.PlatformURLFile())
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("no server is running on the data folder %s: start one by `webhooks serve`, set --data (WEBHOOKS_DATA) to its folder, or log in to a service by `webhooks login`", cfg.Data)
		}
		if err != nil {
			return nil, err
		}
		url = strings.TrimSpace(string(text))
	}
	key, err := cfg.PlatformKey()
	if err != nil {
		return nil, fmt.Errorf("read the key of the platform: %w", err)
	}
	return nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return url }, Username: core.ServiceUser,
		Password: func() core.Secret { return key },
	}), nil
}
