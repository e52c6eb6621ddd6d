package retryafter_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/retryafter"
)

// For any value, the time is neither negative nor longer than Longest. A valid time
// within that limit is returned unchanged, in both forms.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "0", "30", "-1", "+5", "3600", "3601", "4294967295", "4294967296", "9223372036854775808", "99999999999999999999", "1e3", " 5", "5, 6", "1.5",
		"Fri, 31 Dec 1999 23:59:59 GMT", "Friday, 31-Dec-99 23:59:59 GMT", "Fri Dec 31 23:59:59 1999", "Fri, 31 Dec 9999 23:59:59 GMT", "soon",
	} {
		f.Add(seed, int64(946684700), uint16(30))
	}
	f.Fuzz(func(t *testing.T, value string, at int64, seconds uint16) {
		now := time.Unix(at%(1<<37), 0).UTC()
		read := func(value string) (time.Duration, bool) {
			return retryafter.Read(http.Header{"Retry-After": {value}}, now)
		}
		if after, ok := read(value); after < 0 || after > retryafter.Longest || !ok && after != 0 {
			t.Fatalf("%q is %s, %t", value, after, ok)
		}
		want := min(time.Duration(seconds)*time.Second, retryafter.Longest)
		if after, ok := read(strconv.Itoa(int(seconds))); !ok || after != want {
			t.Fatalf("%d is %s, %t", seconds, after, ok)
		}
		if date := now.Add(time.Duration(seconds) * time.Second); date.Year() >= 1 && date.Year() <= 9999 {
			if after, ok := read(date.Format(http.TimeFormat)); !ok || after != want {
				t.Fatalf("%s at %s is %s, %t", date, now, after, ok)
			}
		}
	})
}
