package connect

import (
	"net/http"
	"slices"
	"strings"
)

// answeredBy is the header that each answer of this service has, and none of a proxy
// in front of it.
const answeredBy = "X-Api-Uuid"

// Answered reports whether this service answered a delivery that failed, and could
// accept it. status is that of the answer, 0 if there was none; headers returns the
// names of its headers, and is called only if the status does not say it.
func Answered(status int, headers func() ([]string, error)) (bool, error) {
	switch {
	case status == 0, status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		return false, nil
	case status < http.StatusInternalServerError:
		return true, nil
	}
	names, err := headers()
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, answeredBy) }), err
}
