package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi/serve/episode"
)

// statuses is the one place that knows the status code of each error.
var statuses = map[core.Code]int{ //nolint:gochecknoglobals // a table that nothing changes
	core.CodeFailedToStorePayload: http.StatusServiceUnavailable,
	core.CodeProviderNotSupported: http.StatusBadRequest,
	core.CodeNoPackageJSON:        http.StatusBadGateway,
	core.CodeBadCreds:             http.StatusUnauthorized,
	core.CodeDownloadTarball:      http.StatusBadGateway,
	core.CodeUploadTarball:        http.StatusBadGateway,
	core.CodeStartApp:             http.StatusInternalServerError,
	core.CodeNoPayload:            http.StatusBadRequest,

	core.CodeNotYou:         http.StatusUnauthorized,
	core.CodeAuthServerDown: http.StatusInternalServerError,
	core.CodeUnauthorized:   http.StatusUnauthorized,
	core.CodeNoUsername:     http.StatusUnauthorized,

	core.CodeStatusNotFound:  http.StatusNotFound,
	core.CodeStatusGetByID:   http.StatusInternalServerError,
	core.CodeStatusQueryFail: http.StatusInternalServerError,

	core.CodeChangesTimeout: http.StatusRequestTimeout,
	core.CodeChangesFatal:   http.StatusInternalServerError,

	core.CodeGetUserFailed:       http.StatusInternalServerError,
	core.CodeUpdateUserFailed:    http.StatusInternalServerError,
	core.CodeNoCredentials:       http.StatusBadRequest,
	core.CodeBadCredentials:      http.StatusBadRequest,
	core.CodeGitHubPairingFailed: http.StatusUnauthorized,

	core.CodeTarCorrupt:   http.StatusInternalServerError,
	core.CodeTarUnsafe:    http.StatusInternalServerError,
	core.CodeTarTooLarge:  http.StatusInternalServerError,
	core.CodeTarNoPackage: http.StatusInternalServerError,

	core.CodeBadSignature:       http.StatusUnauthorized,
	core.CodePayloadTooLarge:    http.StatusRequestEntityTooLarge,
	core.CodePayloadEncoding:    http.StatusUnsupportedMediaType,
	core.CodeBadPackageJSON:     http.StatusBadRequest,
	core.CodeNotHeld:            http.StatusConflict,
	core.CodeConflict:           http.StatusConflict,
	core.CodeInterrupted:        http.StatusInternalServerError,
	core.CodeDeployParams:       http.StatusBadRequest,
	core.CodeGateFailed:         http.StatusBadGateway,
	core.CodeForgeUnknown:       http.StatusBadRequest,
	core.CodeRedeliverLive:      http.StatusConflict,
	core.CodeRedeliverNoPayload: http.StatusConflict,
	core.CodeCancelOver:         http.StatusConflict,
	core.CodeCancelStarting:     http.StatusConflict,
	core.CodeAppCrashed:         http.StatusInternalServerError,
	core.CodeOtherSource:        http.StatusConflict,
	core.CodeTargetFixed:        http.StatusConflict,

	core.CodeStatusParams:       http.StatusBadRequest,
	core.CodeChangesGone:        http.StatusGone,
	core.CodeAuthParams:         http.StatusBadRequest,
	core.CodeConnectParams:      http.StatusBadRequest,
	core.CodeNotPaired:          http.StatusConflict,
	core.CodeConnectFailed:      http.StatusBadGateway,
	core.CodeForgePairingFailed: http.StatusUnauthorized,
	core.CodeAuthForgeUnknown:   http.StatusNotFound,
	core.CodePasswordRequired:   http.StatusForbidden,
	core.CodeAccountNotFound:    http.StatusNotFound,
	core.CodeAccountConflict:    http.StatusConflict,
	core.CodeNotificationFailed: http.StatusBadGateway,

	core.CodeHTTPNotFound:         http.StatusNotFound,
	core.CodeHTTPMethodNotAllowed: http.StatusMethodNotAllowed,
	core.CodeHTTPCrossOrigin:      http.StatusForbidden,
	core.CodeHTTPUnavailable:      http.StatusServiceUnavailable,
	core.CodeHTTPTooManyTries:     http.StatusTooManyRequests,
	core.CodeInternal:             http.StatusInternalServerError,
}

// statusOf returns the status code of an error; 500 if it is not in the table.
func statusOf(code core.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// statusFor returns the status code of a response with err. That a part behind us
// did not answer in time means that there is too much to do.
func statusFor(err error) int {
	status := statusOf(core.AsError(err).Code)
	if status == http.StatusInternalServerError && errors.Is(err, context.DeadlineExceeded) {
		return http.StatusServiceUnavailable
	}
	return status
}

// retryAfter is what a 503 asks for if nothing better is known.
const retryAfter = 5 * time.Second

// failure is the body of an error.
type failure struct {
	Error  core.Code `json:"error"`
	Reason string    `json:"reason"`
	UUID   string    `json:"uuid"`
	Detail string    `json:"detail,omitempty"` // the last lines of what failed, such as npm
	ID     string    `json:"id,omitempty"`     // the entry's URL, if there is one
	URL    string    `json:"url,omitempty"`    // a page about it, for a person
	Oldest string    `json:"oldest,omitempty"` // seq of the oldest change kept, if those before are gone
}

// failureOf returns the body of the response for err. The access log gets its code.
func (a *API) failureOf(c *gin.Context, err error) failure {
	f := a.failure(c.Request.Context(), uuidOf(c), err)
	f.ID = c.GetString(keyEntryURL)
	if f.URL = f.ID; a.o.Dashboard != nil {
		f.URL = c.GetString(keyEntryPage)
	}
	c.Set(keyCode, string(f.Error))
	return f
}

// failure returns what the response says about err, and logs the cause.
func (a *API) failure(ctx context.Context, uuid string, err error) failure {
	e := core.AsError(err)
	f := failure{Error: e.Code, Reason: e.Reason, Detail: e.Detail, UUID: uuid}
	if gone, ok := errors.AsType[*status.GoneError](err); ok {
		f.Oldest = gone.Oldest.String()
	}
	if statusOf(e.Code) >= http.StatusInternalServerError && e.Cause != nil && ctx.Err() == nil {
		a.o.Logger.DebugContext(ctx, "request failed", "uuid", f.UUID, "code", string(e.Code), "error", e.Cause)
		a.failures(e.Code).Add("uuid", f.UUID, "error", e.Cause)
	}
	return f
}

// failures returns what logs the failures with a code: an outage of a part makes
// every request fail.
func (a *API) failures(code core.Code) *episode.Episode {
	a.failedMu.Lock()
	defer a.failedMu.Unlock()
	if a.failed[code] == nil {
		a.failed[code] = episode.New(a.o.Logger.With("code", string(code)), slog.LevelError, "requests failed")
	}
	return a.failed[code]
}

// writeError responds with err. If the response has begun already, all that is
// left is to abort the connection, so that it does not look complete.
func (a *API) writeError(c *gin.Context, err error) {
	f := a.failureOf(c, err)
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	code := statusFor(err)
	switch code {
	case http.StatusUnauthorized:
		c.Header("WWW-Authenticate", `Basic realm="webhooks"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		c.Header("Retry-After", seconds(retryAfter))
	case http.StatusRequestEntityTooLarge:
		c.Header("Connection", "close") // what is left of the body is not read
	}
	if after := core.AsError(err).RetryAfter; after > 0 {
		c.Header("Retry-After", seconds(after))
	}
	writeJSON(c, code, f)
}

// seconds returns d in whole seconds, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// invalid returns the error for a parameter, which names it and what it accepts.
func invalid(code core.Code, name, want string) error {
	what, _, _ := strings.Cut(core.Reason(code), ";")
	return core.NewError(code, what+": invalid "+name+": want "+want, nil)
}
