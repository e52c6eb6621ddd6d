// Package retryafter parses the header Retry-After.
package retryafter

import (
	"net/http"
	"strconv"
	"time"
)

// Longest is the longest time that a server may ask for. A longer one is a mistake,
// or due to a wrong clock.
const Longest = time.Hour

// Read reads the header Retry-After, in either form of RFC 9110. ok is false
// if it is missing or invalid.
func Read(h http.Header, now time.Time) (after time.Duration, ok bool) {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, Longest), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), Longest), true
	}
	return 0, false
}
