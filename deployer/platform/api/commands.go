package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// The trailers of the response to a command.
const (
	trailerExit       = "X-Run-Exit-Code" // of the command
	trailerRunFailure = "X-Run-Failure"   // why it did not run to its end
)

// maxCommandLine is the size of the first line of a request with an input. Each byte
// of a command may be six bytes of JSON.
const maxCommandLine = 512 << 10

// drainLimit is how long the input of a command that was refused is read.
const drainLimit = 2 * time.Second

// runCommand runs a command as the app, and streams its output. The trailers say
// how it ended. It is ended if the client disconnects.
//
// With the parameter input=true the first line of the body is the JSON, and what
// follows, as it comes, is the input of the command.
func (a *API) runCommand(c *call) error {
	var fields struct {
		Command string `json:"command"`
	}
	ctx := c.ctx()
	out := &output{c: c, flush: true, trailers: trailerExit + ", " + trailerRunFailure}
	var in io.Reader
	if c.r.URL.Query().Get("input") == "true" {
		body := bufio.NewReaderSize(c.r.Body, maxCommandLine)
		line, err := body.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return core.Errorf(core.CodePlatformInvalid, "The first line of the body can't be read: %v", err)
		}
		if err := json.Unmarshal(line, &fields); err != nil {
			return core.Errorf(core.CodePlatformInvalid, "Invalid JSON in the first line of the body: %v", err)
		}
		var end func(answered bool)
		if ctx, in, end, err = c.input(ctx, body); err != nil {
			return err
		}
		defer func() { end(out.begun) }()
	} else {
		if err := c.read(&fields); err != nil {
			return err
		}
		if err := c.clearDeadlines(); err != nil {
			return err
		}
	}
	h := c.w.Header()
	exit, err := a.o.Apps.Run(ctx, c.user, c.app, fields.Command, in, out)
	if err != nil && (!out.begun || ctx.Err() != nil) {
		return err
	}
	if begun := out.begin(); begun != nil {
		return begun
	}
	if err != nil {
		a.o.Logger.ErrorContext(ctx, "command not run to its end", "error", err)
		h.Set(trailerRunFailure, oneLine(core.AsError(err).Reason))
		return nil
	}
	if err := http.NewResponseController(c.w).Flush(); err != nil { // so that the trailers are sent, even after no output
		return err
	}
	h.Set(trailerExit, strconv.Itoa(exit.Code))
	return nil
}

// input returns the body of the request as the input of a command, to be read while
// the response is written, and a context that ends when the client disconnects.
// It must be ended before the handler returns. Then, if no response has begun, the
// rest of the body is read for a moment: a client that still sends when the
// connection is closed would not see the response.
func (c *call) input(ctx context.Context, body io.Reader) (attended context.Context, in io.Reader, end func(answered bool), err error) {
	serve.CancelOnClose(c.r)
	control := http.NewResponseController(c.w)
	err = errors.Join(control.EnableFullDuplex(), control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
	if err != nil {
		return nil, nil, nil, err
	}
	if c.r.ProtoMajor == 1 {
		// What the command does not read would be the next request.
		c.w.Header().Set("Connection", "close")
	}
	attended, cancel := context.WithCancel(ctx)
	read, write := io.Pipe()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, err := io.Copy(write, body)
		_ = write.CloseWithError(err)
		if err != nil {
			cancel() // after the command this is of no consequence
		}
		if errors.Is(err, io.ErrClosedPipe) {
			_, _ = io.Copy(io.Discard, body)
		}
	}()
	return attended, read, func(answered bool) {
		defer cancel()
		limit := time.Now() // ends a Read that waits
		if !answered {
			limit = limit.Add(drainLimit)
		}
		_ = control.SetReadDeadline(limit)
		_ = read.Close()
		<-copied
	}, nil
}
