package cli

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core/atomicfile"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newKeys(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Replace the key that access tokens are encrypted with",
		Long: `The platform stores access tokens for GitHub and webhook secrets encrypted. The
keys are in a file, one on each line: the first one encrypts, all decrypt. When
the platform starts, it encrypts again whatever another key has encrypted; after
that you can remove the other keys.

Without --seal-keys-file the file is in the data folder, and a copy of that folder
is enough to read the tokens: keep the file elsewhere.`,
		Example: `  webhooks keys list
  webhooks keys rotate`,
	}
	return group(cmd, newKeysList(streams), newKeysRotate(streams))
}

func newKeysList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the keys by SHA-256 prefix",
		Long:    "Lists the keys of the file by SHA-256 prefix, in their order. No key is shown.",
		Example: "  webhooks keys list\n  webhooks keys list --output json",
		Args:    exactly(0),
	}
	return onKeys(cmd, streams, func(p *printer, path string) error {
		text, err := config.SecretFile(path)
		if err != nil {
			return err
		}
		keys, err := seal.Parse(text)
		if err != nil {
			return err
		}
		table := [][]string{}
		for i, id := range keys.IDs() {
			use := "decrypts"
			if i == 0 {
				use = "encrypts and decrypts"
			}
			table = append(table, []string{id, use})
		}
		return p.result(keys.IDs(), func() error { return p.table(table) })
	})
}

func newKeysRotate(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rotate",
		Short:   "Add a new key before the others",
		Long:    "Adds a new key at the beginning of the file. Restart the server to use it.",
		Example: `  webhooks keys rotate --seal-keys-file /etc/webhooks/seal.keys   # then restart the server`,
		Args:    exactly(0),
	}
	return onKeys(cmd, streams, func(p *printer, path string) error {
		before, err := config.SecretFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if !before.IsZero() {
			if _, err := seal.Parse(before); err != nil {
				return err
			}
		}
		text := strings.TrimSpace(seal.NewKey().Reveal()+"\n"+before.Reveal()) + "\n"
		if err := atomicfile.Write(path, []byte(text), 0o600); err != nil {
			return err
		}
		return p.done(named("changed", path), "Added a new key to %s. Restart the server; then you can remove the other keys.", path)
	})
}

func onKeys(cmd *cobra.Command, streams IO, do func(p *printer, path string) error) *cobra.Command {
	settings := config.Declare(cmd.Flags())
	settings.Show("data", "seal-keys-file")
	p := newPrinter(cmd, streams)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		return do(p, cfg.SealKeysPath())
	}
	return cmd
}
