package nodejitsu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Trailers of the response to a command.
const (
	trailerExit       = "X-Run-Exit-Code"
	trailerRunFailure = "X-Run-Failure"
)

// RunCommand runs a shell command once as an app, with the code and the environment
// of what runs. Its input is in, or nothing if that is nil. RunCommand copies its
// output to out and returns its exit code; a Read of in may still go on then.
// When ctx ends, so does the command. Only the embedded platform supports it.
func (c *Client) RunCommand(ctx context.Context, user, app, command string, in io.Reader, out io.Writer) (code int, err error) {
	r := request{doing: "run a command", method: http.MethodPost, path: appPath(user, app, "run")}
	body, err := json.Marshal(map[string]string{"command": command})
	if err != nil {
		return 0, fmt.Errorf("nodejitsu: %s: %w", r.doing, err)
	}
	var sent io.Reader = bytes.NewReader(body)
	kind := "application/json"
	if in != nil {
		r.query = "input=true"
		sent = io.MultiReader(sent, strings.NewReader("\n"), in)
		kind = "application/octet-stream"
	}
	req, err := c.request(ctx, r, sent)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := c.send(req, r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	printed := &printer{w: out}
	if _, err := io.Copy(printed, resp.Body); err != nil {
		if printed.err != nil {
			return 0, fmt.Errorf("nodejitsu: %s: writing its output: %w", r.doing, printed.err)
		}
		return 0, broken(ctx, r.doing, err)
	}
	if reason := resp.Trailer.Get(trailerRunFailure); reason != "" {
		return 0, &Error{Doing: r.doing, Message: reason}
	}
	if code, err = strconv.Atoi(resp.Trailer.Get(trailerExit)); err != nil {
		return 0, broken(ctx, r.doing, errors.New("the response has no exit code"))
	}
	return code, nil
}
