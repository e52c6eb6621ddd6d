package api

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// statuses maps each code to its HTTP status.
var statuses = map[core.Code]int{ //nolint:gochecknoglobals // never modified
	core.CodePlatformInvalid:          http.StatusBadRequest,
	core.CodePlatformIncomplete:       http.StatusBadRequest,
	core.CodePlatformTooLarge:         http.StatusBadRequest,
	core.CodePlatformNoSuchPath:       http.StatusNotFound,
	core.CodePlatformMethodNotAllowed: http.StatusMethodNotAllowed,
	core.CodePlatformNotImplemented:   http.StatusNotImplemented,
	core.CodePlatformUnauthorized:     http.StatusUnauthorized,
	core.CodePlatformForbidden:        http.StatusForbidden,
	core.CodePlatformWrongCode:        http.StatusForbidden,
	core.CodePlatformTooManyTries:     http.StatusTooManyRequests,
	core.CodePlatformUserNotFound:     http.StatusNotFound,
	core.CodePlatformUserConflict:     http.StatusConflict,
	core.CodePlatformTokenNotFound:    http.StatusNotFound,
	core.CodePlatformTokenConflict:    http.StatusConflict,
	core.CodePlatformAppNotFound:      http.StatusNotFound,
	core.CodePlatformAppConflict:      http.StatusConflict,
	core.CodePlatformHostConflict:     http.StatusConflict,
	core.CodePlatformSuperseded:       http.StatusConflict,
	core.CodePlatformNoSnapshots:      http.StatusBadRequest,
	core.CodePlatformStartFailed:      http.StatusInternalServerError,
	core.CodePlatformSnapshotNotFound: http.StatusNotFound,
	core.CodePlatformSnapshotConflict: http.StatusConflict,
	core.CodePlatformBuildFailed:      http.StatusOK, // in a trailer: the body is the build's output
	core.CodePlatformBusy:             http.StatusServiceUnavailable,
	core.CodePlatformNoSpace:          http.StatusServiceUnavailable,
	core.CodePlatformInternal:         http.StatusInternalServerError,
}

// retryAfter is the default of Retry-After in a 503.
const retryAfter = 5 * time.Second

// failure is the body of an error response. The published clients read error and
// message.
type failure struct {
	Error   string    `json:"error"` // the last part of the code
	Message string    `json:"message"`
	Code    core.Code `json:"code"`
}

// failureOf returns what a caller may see of e.
func failureOf(e *core.Error) failure {
	f := failure{Error: string(e.Code), Message: e.Reason, Code: e.Code}
	if i := strings.LastIndexByte(f.Error, ':'); i >= 0 {
		f.Error = f.Error[i+1:]
	}
	if e.Detail != "" {
		f.Message += "\n" + e.Detail
	}
	return f
}

// noSpace reports whether err says that the disk is full.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// refuse answers with err. An error without a code of the platform is an internal
// error.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // an aborted request must not look like a response
	}
	e := core.AsError(err)
	if _, known := statuses[e.Code]; !known && noSpace(err) {
		e = core.NewError(core.CodePlatformNoSpace, "", err)
	}
	status, ok := statuses[e.Code]
	if !ok {
		e = core.NewError(core.CodePlatformInternal, "", err)
		status = http.StatusInternalServerError
	}
	if status == http.StatusInternalServerError && e.Cause != nil {
		a.o.Logger.ErrorContext(r.Context(), "platform request failed", "route", r.Pattern, "code", string(e.Code), "error", e.Cause)
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="Nodejitsu"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after := cmp.Or(e.RetryAfter, retryAfter)
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	writeJSON(w, status, failureOf(e))
}
