// Command manual writes the man pages and the shell completions of the program:
//
//	manual FOLDER
//
// The man pages are in FOLDER/man.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra/doc"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: manual FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	root := cli.Root()
	root.DisableAutoGenTag = true // its date would make each build differ
	man := filepath.Join(folder, "man")
	if err := os.MkdirAll(man, 0o750); err != nil { //nolint:gosec // a folder that the developer names
		return err
	}
	// The date of the pages, fixed for the same reason.
	date := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	return errors.Join(
		doc.GenManTree(root, &doc.GenManHeader{Title: "WEBHOOKS", Section: "1", Source: "webhooks", Manual: "webhooks", Date: &date}, man),
		root.GenBashCompletionFileV2(filepath.Join(folder, "webhooks.bash"), true),
		root.GenZshCompletionFile(filepath.Join(folder, "_webhooks")),
		root.GenFishCompletionFile(filepath.Join(folder, "webhooks.fish"), true),
	)
}
