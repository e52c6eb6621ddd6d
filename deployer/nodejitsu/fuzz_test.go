package nodejitsu

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// For any header, the wait is neither negative nor longer than longestWait, and a
// valid header in either form returns its value.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "30", "-1", "3600", "3601", "4294967296", "99999999999999999999", "1e3", " 5", "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		f.Add(seed, "Fri, 31 Dec 1999 23:58:20 GMT", int64(946684700), uint16(30))
	}
	f.Fuzz(func(t *testing.T, value, date string, at int64, seconds uint16) {
		if after := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}); after < 0 || after > longestWait {
			t.Fatalf("%q at %q is %s", value, date, after)
		}
		want := min(time.Duration(seconds)*time.Second, longestWait)
		if after := retryAfter(http.Header{"Retry-After": {strconv.Itoa(int(seconds))}, "Date": {date}}); after != want {
			t.Fatalf("%d is %s", seconds, after)
		}
		now := time.Unix(at%(1<<37), 0).UTC()
		if later := now.Add(want); now.Year() >= 1 && later.Year() <= 9999 {
			h := http.Header{"Retry-After": {later.Format(http.TimeFormat)}, "Date": {now.Format(http.TimeFormat)}}
			if after := retryAfter(h); after != want {
				t.Fatalf("%s at %s is %s", later, now, after)
			}
		}
	})
}
