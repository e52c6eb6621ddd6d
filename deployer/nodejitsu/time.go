package nodejitsu

import (
	"encoding/json"
	"time"
)

// Time is a time in either form that platforms use: RFC 3339 text, or milliseconds
// since 1970. Other values read as the zero time.
type Time struct{ time.Time }

// UnmarshalJSON reads either form.
func (t *Time) UnmarshalJSON(text []byte) error {
	t.Time = time.Time{}
	var millis int64
	if json.Unmarshal(text, &millis) == nil {
		if millis > 0 {
			t.Time = time.UnixMilli(millis).UTC()
		}
		return nil
	}
	var at time.Time
	if json.Unmarshal(text, &at) == nil {
		t.Time = at.UTC()
	}
	return nil
}
