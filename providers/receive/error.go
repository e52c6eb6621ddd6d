package receive

import (
	"encoding/json"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

// Error answers a request with an error: its code and its reason, as a JSON object,
// with the HTTP status of the code.
func Error(w http.ResponseWriter, err error) {
	failure := core.AsError(err)
	if failure.Code == core.CodeHTTPMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status(failure.Code))
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]string{"error": string(failure.Code), "reason": failure.Reason}) // the client is gone
}

// status returns the HTTP status of a code: that of the errors of Receive, 500 for
// any other.
func status(code core.Code) int {
	switch code {
	case core.CodeNoPayload, core.CodeProviderNotSupported:
		return http.StatusBadRequest
	case core.CodeBadSignature:
		return http.StatusUnauthorized
	case core.CodeHTTPMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case core.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case core.CodePayloadEncoding:
		return http.StatusUnsupportedMediaType
	}
	return http.StatusInternalServerError
}
