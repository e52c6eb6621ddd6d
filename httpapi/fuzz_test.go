package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

// Parsed credentials are those that were sent: a user name, and everything after
// the first colon.
func FuzzCredentials(f *testing.F) {
	for _, seed := range []string{
		"", "Basic", "Basic ", "basic ZHNjYXBlOnBhc3N3b3Jk", "BASIC  ZHNjYXBlOg==", "Basic OnBhc3N3b3Jk", "Basic ZHNjYXBl", "Basic ZDph\tOmI=", "Bearer x",
		"Basic ZHNjYXBlOg0KWDogeQ==", "Basic gIA6gA==", strings.Repeat("a", 64), "Basic ZHNjYXBlOnBhc3N3b3Jk, Basic ZHNjYXBlOng=", "Basic \nZHNjYXBlOnBhc3N3b3Jk",
	} {
		f.Add(seed, "dscape", "pass:word")
	}
	f.Fuzz(func(t *testing.T, header, user, password string) {
		parsed, err := credentials(http.Header{"Authorization": {header}})
		if parsed != nil {
			if err != nil || parsed.Username == "" || strings.Contains(parsed.Username, ":") {
				t.Fatalf("%q: user %q, %v", header, parsed.Username, err)
			}
			if both := parsed.Username + ":" + parsed.Password.Reveal(); !utf8.ValidString(both) || strings.ContainsFunc(both, isControl) {
				t.Fatalf("%q: read %q", header, both)
			}
			user, password = parsed.Username, parsed.Password.Reveal()
		}
		if user == "" || strings.Contains(user, ":") || !utf8.ValidString(user+":"+password) || strings.ContainsFunc(user+password, isControl) {
			return
		}
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		again, err := credentials(r.Header)
		if err != nil || again == nil || again.Username != user || again.Password.Reveal() != password {
			t.Fatalf("%q with %q is not parsed as it was sent: %v", user, password, err)
		}
		r.Header.Add("Authorization", header)
		if _, err := credentials(r.Header); err == nil {
			t.Fatalf("two headers were accepted, the second one %q", header)
		}
	})
}

// The parsed value is the only field of that name, as any JSON parser reads it;
// errors do not contain the value.
func FuzzPairCredentials(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"credentials":"octo:ghp_canary"}`, `{"credentials":null}`, `{"credentials":["a"]}`, `{"Credentials":"a:b","credentials":"c:d"}`,
		`{"credentials":"a:b","credentials":"c:d"}`, `{"credentials":"a:b","\u0063redentials":"c:d"}`, `{"a":{"credentials":"a:b"}}`, `{"credentials":"\ud800"}`,
		`{"credentials":"a\u0000b"}`, "\xef\xbb\xbf{}", `[{"credentials":"a:b"}]`, `{"credentials":"a:b"}{}`, `{"credentials":"a:b`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		found, ok := fieldsOf(body, "credentials")
		var fields map[string]json.RawMessage
		if object := utf8.Valid(body) && json.Unmarshal(body, &fields) == nil && fields != nil; object != ok {
			t.Fatalf("%q is an object: %t, want %t", body, ok, object)
		}
		if _, there := fields["credentials"]; there != (len(found) > 0) {
			t.Fatalf("%q: found %q", body, found)
		}
		secret, err := pairCredentials(body)
		if err != nil {
			if core.CodeOf(err) != core.CodeBadCredentials || !secret.IsZero() || strings.Contains(err.Error(), "canary") {
				t.Fatalf("%q: %q, %v", body, secret.Reveal(), err)
			}
			return
		}
		if secret.IsZero() {
			return
		}
		var text string
		if err := json.Unmarshal(fields["credentials"], &text); err != nil || text != secret.Reveal() || len(found) != 1 {
			t.Fatalf("%q: read %q of %d, want %q", body, secret.Reveal(), len(found), text)
		}
		if strings.ContainsFunc(text, isControl) {
			t.Fatalf("%q: read %q", body, text)
		}
	})
}

// Parsed preferences are within bounds, the first wait counts, and unknown
// preferences have no effect.
func FuzzPrefer(f *testing.F) {
	for _, seed := range []string{
		"", "wait=10", "respond-async", "respond-async, wait=5", `wait="7"; a=b`, `foo="a, wait=1", wait=2`, "wait=-1", "wait=1e3", "wait=99999999999", "Wait = 3",
		`foo="\", wait=1`, `"`, "wait", "wait=", ",,,", "wait=1, wait=2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		p := parsePrefer([]string{value})
		if p.wait < 0 || p.wait > 999_999_999*time.Second || !p.waits && p.wait != 0 {
			t.Fatalf("%q: %+v", value, p)
		}
		for _, more := range [][]string{{"foo=bar", value}, {"foo=bar; wait=1, " + value}, {value, "foo=bar"}, {`foo="a, wait=1, respond-async"`, value}} {
			if got := parsePrefer(more); got != p {
				t.Fatalf("%q: %+v, with other preferences %+v", value, p, got)
			}
		}
		if got := parsePrefer([]string{"wait=3", value}); got.wait != 3*time.Second || got.async != p.async {
			t.Fatalf("%q after another wait: %+v", value, got)
		}
	})
}

// Parsed feed parameters are within bounds, and can be formatted and parsed again.
func FuzzParseFeed(f *testing.F) {
	for _, seed := range []string{
		"", "include_docs=auto&since=now", "since=0&feed=normal", "since=1764000000000-3&heartbeat=10&timeout=3600000", "heartbeat=0", "timeout=3600001",
		"app=hello&status=ok,error", "app=../a", "status=", "since=%30", "since=1&since=x", "feed=longpoll;feed=normal", "%zz", "since=1-2-3",
	} {
		f.Add(seed, "text/event-stream", "")
	}
	f.Add("since=0", "text/html, TEXT/event-stream;q=0.5", "17-1")
	f.Add("since=0", "", "17\r\n\r\ndata: x")
	f.Fuzz(func(t *testing.T, query, accept, last string) {
		parse := func(query string) (feedQuery, error) {
			return parseFeed(&http.Request{
				URL:    &url.URL{RawQuery: query},
				Header: http.Header{"Accept": {accept}, "Last-Event-Id": {last}},
			})
		}
		q, err := parse(query)
		if err != nil {
			if core.CodeOf(err) != core.CodeStatusParams {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		if q.heartbeat < minHeartbeat || q.heartbeat > maxFeedTime || q.timeout != 0 && q.timeout < minHeartbeat || q.timeout > maxFeedTime {
			t.Fatalf("%q: %+v", query, q)
		}
		since := q.since.After.String()
		if q.since.Now {
			since = "now"
		}
		docs := map[core.DocMode]string{core.DocAlways: "true", core.DocNever: "false", core.DocErrors: "auto"}[q.docs]
		values := url.Values{"since": {since}, "include_docs": {docs}, "feed": {string(q.mode)}}
		for name, d := range map[string]time.Duration{"heartbeat": q.heartbeat, "timeout": q.timeout} {
			if d != 0 {
				values.Set(name, strconv.FormatInt(d.Milliseconds(), 10))
			}
		}
		if q.app != "" {
			values.Set("app", q.app)
		}
		var statuses []string
		for _, one := range q.statuses {
			if !one.Valid() {
				t.Fatalf("%q: status %q", query, one)
			}
			statuses = append(statuses, string(one))
		}
		if statuses != nil {
			values.Set("status", strings.Join(statuses, ","))
		}
		again, err := parse(values.Encode())
		if err != nil || again.since != q.since || again.mode != q.mode || again.docs != q.docs || again.heartbeat != q.heartbeat ||
			again.timeout != q.timeout || again.events != q.events || again.app != q.app || len(again.statuses) != len(q.statuses) {
			t.Fatalf("%q is %+v; formatted as %q it is %+v, %v", query, q, values.Encode(), again, err)
		}
	})
}
