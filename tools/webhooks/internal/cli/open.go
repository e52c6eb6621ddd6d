package cli

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"
)

func newOpen(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "open APP",
		Short:   "Open an app in the browser",
		Long:    "Prints the URL of an app and, on a terminal, opens it in the browser.",
		Example: "  webhooks open hello\n  webhooks open hello --print",
		Args:    exactly(1),
	}
	printOnly := cmd.Flags().Bool("print", false, "only print the URL")
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, args []string) error {
		if err := checkName("app", args[0]); err != nil {
			return err
		}
		app, err := s.client.App(ctx, s.user, args[0])
		if err != nil {
			return err
		}
		if app.URL == "" {
			return fmt.Errorf("the platform at %s does not say where its apps are", s.url)
		}
		if err := s.done(map[string]string{"app": app.Name, "url": app.URL}, "%s", app.URL); err != nil {
			return err
		}
		if _, terminal := terminalOf(s.streams.Stdout); !terminal || *printOnly || s.output.json() {
			return nil
		}
		name, first := browser()
		if err := exec.CommandContext(context.WithoutCancel(ctx), name, append(first, app.URL)...).Start(); err != nil { //nolint:gosec // no shell; an http URL of the platform
			s.say("no browser was opened: %v", err)
		}
		return nil
	})
}

// browser returns the command that opens a URL.
func browser() (name string, first []string) {
	switch runtime.GOOS {
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	case "darwin":
		return "open", nil
	default:
		return "xdg-open", nil
	}
}
