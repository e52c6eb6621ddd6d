package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// pushed notifies the githubsim that serves the folder of a push, and prints the
// answers to its webhooks. git shows them to the person who pushed.
func pushed(ctx context.Context, args []string, stdout, _ io.Writer) (err error) {
	flags := flag.NewFlagSet("githubsim pushed", flag.ContinueOnError)
	dir := flags.String("dir", "", "`folder` of the repositories")
	if err := parse(flags, args, stdout); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() != 1 {
		return usageError{errors.New("pushed takes --dir and one OWNER/NAME")}
	}
	address, err := os.ReadFile(addressFile(*dir))
	if err != nil {
		return fmt.Errorf("no githubsim is serving %s", *dir)
	}
	to := strings.TrimSuffix(string(address), "/") + sim.PushedPath + "?repository=" + url.QueryEscape(flags.Arg(0))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("notifying of the push to %s: %s", flags.Arg(0), resp.Status)
	}
	var answers []sim.PushedAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answers); err != nil {
		return err
	}
	for _, a := range answers {
		answered := errors.New(a.Error)
		if a.Error == "" {
			answered = nil
		}
		if _, err := fmt.Fprintf(stdout, "%s %s -> %s: %s\n", a.Event, a.Ref, a.URL, outcome(a.Status, answered)); err != nil {
			return err
		}
	}
	return nil
}
