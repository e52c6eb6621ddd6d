// Package retryafter reads how long a server wants to be left alone.
package retryafter

import (
	"net/http"
	"strconv"
	"time"
)

// Longest bounds what a server may ask for; a longer time is a mistake, or a
// clock that is wrong.
const Longest = time.Hour

// Read reads the header Retry-After, in either form of RFC 9110. ok is false
// where there is none that says anything.
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
