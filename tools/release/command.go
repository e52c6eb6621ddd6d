package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func newCommand() *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use:   "release",
		Short: "Keep the modules of this workspace in step and release them together",
		Long: `Keeps the seven modules of this workspace in step and releases them together.

On main the modules require each other at the next version and replace each
other with the folders beside them. A release is a commit beside main without
those replaces, which the tags core/v0.1.0, providers/v0.1.0 … point to; the
module tests is never tagged.`,
		Example: `  go run ./tools/release check
  go run ./tools/release tag
  go run ./tools/release set v0.2.0`,
		Args:          usage(cobra.NoArgs),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{fmt.Errorf("a command is missing: check, sync, set or tag")}
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.PersistentFlags().StringVarP(&dir, "dir", "C", ".", "a folder of the workspace to work on")
	root.AddCommand(newCheckCommand(&dir), newSyncCommand(&dir), newSetCommand(&dir), newTagCommand(&dir))
	return root
}

func newCheckCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say whether the workspace could be released",
		Long: `Says whether the workspace, as it lies in the folder, could be released:

  - go.work lists all seven modules, and nothing else
  - every module has the same go line and no toolchain line
  - siblings are required at one version everywhere, and replaced by their
    folders, the indirect ones too; nothing else is replaced
  - a third-party module has the same version in every go.mod
  - go mod tidy, with GOWORK=off, would change nothing
  - CHANGELOG.md has a section for the version

Each breach is a line of its own that says how to mend it; then the exit code is 1.`,
		Example: `  go run ./tools/release check
  go run ./tools/release check -C /path/to/clone`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWorkspace(*dir)
			if err != nil {
				return err
			}
			if err := w.check(cmd.Context()); err != nil {
				return fmt.Errorf("%s cannot be released:\n%w", w.version(), err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s could be released: %d modules checked\n", w.version(), len(w.modules))
			return err
		},
	}
}

func newSyncCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "sync",
		Short: "Give third-party modules the same version in every module",
		Long: `Lifts every third-party module to the highest version that any of the seven
modules requires, and tidies each. Otherwise a module tested alone runs with
other code than the program it becomes a part of.`,
		Example: `  go run ./tools/release sync`,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWorkspace(*dir)
			if err != nil {
				return err
			}
			return w.sync(cmd.Context(), cmd.OutOrStdout())
		},
	}
}

func newSetCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "set VERSION",
		Short: "Begin the next version",
		Long: `Writes VERSION as the version of every sibling into every go.mod. CHANGELOG.md
then needs a section for it, which is for a person to write.`,
		Example: `  go run ./tools/release set v0.2.0
  go run ./tools/release set v1.0.0-rc.1`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := findWorkspace(*dir)
			if err != nil {
				return err
			}
			return w.set(args[0], cmd.OutOrStdout())
		},
	}
}

func newTagCommand(dir *string) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "tag",
		Short: "Make the release commit and its tags",
		Long: `Checks the commit at HEAD as "release check" does, makes the release commit from
it and tags that: core/VERSION, providers/VERSION and so on, all of them or none.
The work tree, its index and the branch stay as they are; nothing is pushed.
CHANGELOG.md must carry the day of the release: ## [0.1.0] - 2026-11-23`,
		Example: `  go run ./tools/release tag
  go run ./tools/release tag --dry-run`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWorkspace(*dir)
			if err != nil {
				return err
			}
			return tag(cmd.Context(), w.root, dryRun, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "do everything but make the tags")
	return cmd
}

// usage makes a wrong number of arguments a usageError.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return &usageError{err}
		}
		return nil
	}
}
