package api

import (
	"net/http"
	"strconv"

	"github.com/nodejitsu/webhooks/core"
)

// The trailers of the response to a command.
const (
	trailerExit       = "X-Run-Exit-Code" // of the command
	trailerRunFailure = "X-Run-Failure"   // why it did not run to its end
)

// runCommand runs a command as the app, and streams its output. The trailers say
// how it ended. It is ended if the client disconnects.
func (a *API) runCommand(c *call) error {
	var fields struct {
		Command string `json:"command"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	if err := c.clearDeadlines(); err != nil {
		return err
	}
	h := c.w.Header()
	out := &output{c: c, flush: true, trailers: trailerExit + ", " + trailerRunFailure}
	exit, err := a.o.Apps.Run(c.ctx(), c.user, c.app, fields.Command, out)
	if err != nil && (!out.begun || c.ctx().Err() != nil) {
		return err
	}
	if begun := out.begin(); begun != nil {
		return begun
	}
	if err != nil {
		a.o.Logger.ErrorContext(c.ctx(), "command not run to its end", "error", err)
		h.Set(trailerRunFailure, oneLine(core.AsError(err).Reason))
		return nil
	}
	if err := http.NewResponseController(c.w).Flush(); err != nil { // so that the trailers are sent, even after no output
		return err
	}
	h.Set(trailerExit, strconv.Itoa(exit.Code))
	return nil
}
