package httpapi

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

// statuses is the one place that knows the status code of an error: those of
// the seed document as it has them, and those of our own codes.
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

	core.CodeBadSignature:    http.StatusUnauthorized,
	core.CodePayloadTooLarge: http.StatusRequestEntityTooLarge,
	core.CodePayloadEncoding: http.StatusUnsupportedMediaType,
	core.CodeBadPackageJSON:  http.StatusBadRequest,
	core.CodeNotHeld:         http.StatusConflict,
	core.CodeConflict:        http.StatusConflict,
	core.CodeInterrupted:     http.StatusInternalServerError,
	core.CodeDeployParams:    http.StatusBadRequest,
	core.CodeReadTravis:      http.StatusBadGateway,

	core.CodeStatusParams: http.StatusBadRequest,
	core.CodeChangesGone:  http.StatusGone,
	core.CodeAuthParams:   http.StatusBadRequest,

	core.CodeHTTPNotFound:         http.StatusNotFound,
	core.CodeHTTPMethodNotAllowed: http.StatusMethodNotAllowed,
	core.CodeHTTPUnavailable:      http.StatusServiceUnavailable,
	core.CodeHTTPTooManyTries:     http.StatusTooManyRequests,
	core.CodeInternal:             http.StatusInternalServerError,
}

// statusOf returns the status code of an error; 500 for one that has none.
func statusOf(code core.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// retryAfter is what a 503 asks for where nothing better is known.
const retryAfter = 5 * time.Second

// failure is the body of an error.
type failure struct {
	Error  core.Code `json:"error"`
	Reason string    `json:"reason"`
	UUID   string    `json:"uuid"`
	ID     string    `json:"id,omitempty"`     // the entry's URL, where there is one
	Oldest string    `json:"oldest,omitempty"` // seq of the oldest change kept, where those before are gone
}

// failureOf returns what a client is told of err, and makes the access log
// tell its code.
func (a *API) failureOf(c *gin.Context, err error) failure {
	e := core.AsError(err)
	f := failure{Error: e.Code, Reason: e.Reason, UUID: uuidOf(c), ID: c.GetString(keyEntryURL)}
	if gone, ok := errors.AsType[*status.GoneError](err); ok {
		f.Oldest = gone.Oldest.String()
	}
	c.Set(keyCode, string(e.Code))
	if statusOf(e.Code) >= http.StatusInternalServerError && e.Cause != nil && c.Request.Context().Err() == nil {
		a.o.Logger.ErrorContext(c.Request.Context(), "request failed",
			"uuid", f.UUID, "code", string(e.Code), "error", e.Cause)
	}
	return f
}

// writeError answers with err. Where the answer has begun already, all that
// is left is to break the connection, so that nobody takes it for whole.
func (a *API) writeError(c *gin.Context, err error) {
	f := a.failureOf(c, err)
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	code := statusOf(f.Error)
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

// invalid returns the failure for a parameter, naming it and what it takes.
func invalid(code core.Code, name, takes string) error {
	what, _, _ := strings.Cut(core.Reason(code), ";")
	return core.NewError(code, what+": "+name+" takes "+takes, nil)
}
