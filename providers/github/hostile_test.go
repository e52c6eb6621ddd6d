package github

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// A field that decides what is deployed is refused if it occurs twice in its object,
// with or without escape sequences; another case is another field.
func TestFieldsThatDecideOccurOnce(t *testing.T) {
	t.Parallel()
	repository := `"name":"n","owner":{"name":"o","login":"o"},"html_url":"https://github.com/o/n","url":"","private":true,"default_branch":"main","master_branch":"main","pushed_at":1`
	whole := map[string]string{
		"ref": `"refs/heads/main"`, "before": `"` + sha("b") + `"`, "after": `"` + sha("a") + `"`, "deleted": "false",
		"head_commit": `{"id":"` + sha("a") + `"}`, "commits": "[]", "repository": "{" + repository + "}", "zen": `"x"`,
	}
	for key, value := range whole {
		escaped := `\u00` + string("0123456789abcdef"[key[0]>>4]) + string("0123456789abcdef"[key[0]&15]) + key[1:]
		for _, twin := range []string{key, escaped} {
			for _, order := range []string{`{"` + twin + `":null,` + push(`"` + key + `":` + value)[1:], strings.TrimSuffix(push(`"`+key+`":`+value), "}") + `,"` + twin + `":null}`} {
				_, err := Provider{}.Parse(deliver(t, "push", order))
				if failure := core.AsError(err); err == nil || !strings.Contains(failure.Reason, "twice") {
					t.Errorf("%s and %s: got %v", key, twin, err)
				}
			}
		}
		other := `{"` + strings.ToUpper(key) + `":{"evil":true},` + push(`"` + key + `":` + value)[1:]
		if e, err := (Provider{}).Parse(deliver(t, "push", other)); err != nil || e.Repository.Slug() != "o/n" || e.Branch != "main" || e.Commit.ID != sha("a") {
			t.Errorf("%s beside %s: %+v, %v", strings.ToUpper(key), key, e, err)
		}
	}
	for _, inner := range []string{
		repository + `,"name":"evil"`, repository + `,"owner":{"login":"evil"}`, repository + `,"private":false`, repository + `,"default_branch":"evil"`,
		`"name":"n","owner":{"login":"o","login":"evil"}`, `"name":"n","owner":{"name":"o","name":"evil"}`, repository + `,"n\u0061me":"evil"`,
	} {
		_, err := Provider{}.Parse(deliver(t, "push", push(`"repository":{`+inner+`}`)))
		if failure := core.AsError(err); err == nil || !strings.Contains(failure.Reason, "twice") {
			t.Errorf("%s: got %v", inner, err)
		}
	}
}

// Payloads that are made to be misread or to be expensive are refused with a code and a
// reason, or read as what they are.
func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 100_000)
	for why, c := range map[string]struct {
		payload string
		reason  string // "": it is read
	}{
		"lists, 10,000 deep":             {`{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "," + push()[1:], "nested"},
		"objects, 10,000 deep":           {`{"x":` + strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000) + "," + push()[1:], "nested"},
		"a field of ours, 10,000 deep":   {push(`"commits":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), "nested"},
		"open for ever":                  {strings.Repeat(`{"a":[`, 1_000_000), "nested"},
		"NUL in the text":                {"{\x00" + push()[1:], "not valid JSON"},
		"NUL in a string":                {push("\"ref\":\"refs/heads/a\x00b\""), "not valid JSON"},
		"NUL, escaped, in the ref":       {push(`"ref":"refs/heads/a\u0000b"`), "ref"},
		"NUL, escaped, in a name":        {push(`"repository":{"name":"n\u0000","owner":{"name":"o"}}`), "repository"},
		"NUL, escaped, in the commit":    {push(`"after":"` + sha("a")[:39] + `\u0000"`), "commit"},
		"NUL, escaped, in the message":   {push(`"head_commit":{"message":"a\u0000b"}`), ""},
		"a byte order mark":              {"\ufeff" + push(), ""},
		"a byte order mark inside":       {"{\ufeff" + push()[1:], "not valid JSON"},
		"UTF-16":                         {"{\x00\"\x00r\x00e\x00f\x00", "not valid JSON"},
		"not UTF-8 in a name":            {push("\"repository\":{\"name\":\"n\xff\",\"owner\":{\"name\":\"o\"}}"), "UTF-8"},
		"not UTF-8 in a key":             {"{\"\xff\":1," + push()[1:], ""},
		"not UTF-8 in an unread field":   {"{\"x\":\"\xff\"," + push()[1:], ""},
		"overlong UTF-8":                 {push("\"ref\":\"refs/heads/\xc0\xaf\""), "UTF-8"},
		"a surrogate as UTF-8":           {push("\"ref\":\"refs/heads/\xed\xa0\x80\""), "UTF-8"},
		"a low surrogate alone":          {push(`"ref":"refs/heads/\udc00"`), "ref"},
		"surrogates the wrong way round": {push(`"ref":"refs/heads/\ude00\ud83d"`), "ref"},
		"half a pair in a name":          {push(`"repository":{"name":"n\ud800","owner":{"name":"o"}}`), "repository"},
		"half a pair in the message":     {push(`"head_commit":{"message":"\ud800"}`), ""},
		"a clock beyond 64 bits":         {push(`"repository":{"name":"n","owner":{"name":"o"},"pushed_at":` + long + `}`), ""},
		"a clock beyond the year 9999":   {push(`"repository":{"name":"n","owner":{"name":"o"},"pushed_at":9223372036854775807}`), ""},
		"a clock below zero":             {push(`"repository":{"name":"n","owner":{"name":"o"},"pushed_at":-9223372036854775808}`), ""},
		"a clock beyond all floats":      {push(`"repository":{"name":"n","owner":{"name":"o"},"pushed_at":1e999999999}`), ""},
		"a number for a text":            {push(`"ref":` + long), "ref"},
		"a number for a name":            {push(`"repository":{"name":1e400,"owner":{"name":"o"}}`), "repository"},
		"not a number":                   {`{"x":NaN,` + push()[1:], "not valid JSON"},
		"infinite":                       {`{"x":-Infinity,` + push()[1:], "not valid JSON"},
		"a comment":                      {`{/**/` + push()[1:], "not valid JSON"},
		"a ref that climbs":              {push(`"ref":"refs/heads/../../x"`), "ref"},
		"a ref with CR LF":               {push(`"ref":"refs/heads/a\r\nX-Evil: 1"`), "ref"},
		"a name with CR LF":              {push(`"repository":{"name":"n\r\nX: y","owner":{"name":"o"}}`), "repository"},
		"a name with %2f":                {push(`"repository":{"name":"n%2fm","owner":{"name":"o"}}`), "repository"},
		"a name of 10 KB":                {push(`"repository":{"name":"` + strings.Repeat("n", 10_000) + `","owner":{"name":"o"}}`), "repository"},
		"a ref of 10 KB":                 {push(`"ref":"refs/heads/` + strings.Repeat("n", 10_000) + `"`), "ref"},
		"a million keys":                 {`{` + strings.Repeat(`"x":0,`, 1_000_000) + push()[1:], ""},
		"a million commits":              {push(`"commits":[` + strings.Repeat(`{},`, 1_000_000) + `{}]`), ""},
	} {
		for _, name := range []string{"push", ""} {
			e, err := Provider{}.Parse(deliver(t, name, c.payload))
			switch {
			case c.reason != "":
				if failure := core.AsError(err); err == nil || failure.Code != core.CodeProviderNotSupported ||
					name != "" && !strings.Contains(failure.Reason, c.reason) {
					t.Errorf("%s: %+v, %v", why, e, err)
				}
			case err != nil || e.Repository.Slug() != "o/n" || e.Branch != "main" || e.Commit.ID != sha("a"):
				t.Errorf("%s: %+v, %v", why, e, err)
			default:
				if text, err := json.Marshal(e); err != nil || len(text) > 64<<10 {
					t.Errorf("%s: it is kept as %d bytes, %v", why, len(text), err)
				}
			}
		}
	}
}

// A payload as large as may be is read, and what is kept of it is small.
func TestLargestPayload(t *testing.T) {
	t.Parallel()
	for why, c := range map[string]struct{ head, fill, tail string }{
		"a long text":   {`{"x":"`, `x`, `",`},
		"many of them":  {`{"x":["`, `","`, `"],`},
		"many fields":   {`{`, `"x":{},`, ``},
		"a long number": {`{"x":1`, `0`, `,`},
		"white space":   {`{`, ` `, ``},
	} {
		tail := c.tail + push()[1:]
		room := core.MaxPayload - len(c.head) - len(tail)
		payload := c.head + strings.Repeat(c.fill, room/len(c.fill)) + tail + strings.Repeat(" ", room%len(c.fill))
		e, err := Provider{}.Parse(deliver(t, "push", payload))
		if len(payload) != core.MaxPayload || err != nil || e.Repository.Slug() != "o/n" || e.Commit.ID != sha("a") {
			t.Errorf("%s, %d bytes: %v", why, len(payload), err)
		}
	}
}
