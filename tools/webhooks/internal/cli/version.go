package cli

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(streams IO, stamped string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, commit and date of this program",
		Long:    "Prints the version of this program, the commit that it was built from with its date, and the version of Go.",
		Example: "  webhooks version\n  webhooks version --output json",
		Args:    exactly(0),
	}
	p := newPrinter(cmd, streams)
	cmd.RunE = func(*cobra.Command, []string) error {
		v := versionOf(stamped)
		return p.done(v, "webhooks %s, commit %s, %s, %s %s", v.Version, v.Commit, v.Date, v.Go, v.Platform)
	}
	return cmd
}

type version struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Date     string `json:"date"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// versionOf returns the version that the release has stamped or, if there is
// none, the one of the module, with what the go command has recorded.
func versionOf(stamped string) version {
	v := version{Version: stamped, Commit: "unknown", Date: "date unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	v.Version = cmp.Or(v.Version, "(devel)")
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.time":
			v.Date = setting.Value
		case "vcs.modified":
			if setting.Value == "true" {
				v.Commit += " with changes"
			}
		}
	}
	return v
}
