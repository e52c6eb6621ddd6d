package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi"
)

func TestList(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Status = fakeStatus{list: func(user, app string, skip, limit int) ([]core.Entry, int, error) {
			switch {
			case user == "indexzero" && app == "":
				return nil, 0, nil
			case app == "unknown":
				return nil, 0, core.NewError(core.CodeStatusNotFound, "", nil)
			case app == "broken":
				return nil, 0, core.NewError(core.CodeStatusQueryFail, "", errors.New("disk on fire"))
			case user != "dscape" || skip != 20 || limit != 2 || app != "hello":
				t.Errorf("List(%q, %q, %d, %d)", user, app, skip, limit)
			}
			return []core.Entry{changeOf(core.StatusOK).Entry, changeOf(core.StatusError).Entry}, 45, nil
		}}
	})
	golden(t, "list page", whole(serve(api, request(t, "GET", "/1/status/dscape/webhooks/hello/?limit=2&skip=20", "", as("dscape")))))
	golden(t, "list nothing", whole(serve(api, request(t, "GET", "/1/status/indexzero/webhooks", "", as("indexzero")))))
	golden(t, "list unknown app", whole(serve(api, request(t, "GET", "/1/status/dscape/webhooks/unknown", "", as("dscape")))))
	golden(t, "list query fail", whole(serve(api, request(t, "GET", "/1/status/dscape/webhooks/broken", "", as("dscape")))))
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, want string }{
		{"", "20 0"},
		{"?limit=1", "1 0"},
		{"?limit=100&skip=0", "100 0"},
		{"?skip=999999999", "20 999999999"},
		{"?other=1", "20 0"},
		{"?limit=0", "limit"},
		{"?limit=101", "limit"},
		{"?limit=-1", "limit"},
		{"?limit=1.5", "limit"},
		{"?limit=", "limit"},
		{"?limit=%2B5", "limit"},
		{"?limit=1e1", "limit"},
		{"?limit=99999999999999999999", "limit"},
		{"?limit=ten", "limit"},
		{"?skip=-1", "skip"},
		{"?skip=", "skip"},
		{"?skip=9999999999", "skip"},
		{"?skip=x", "skip"},
		{"?skip=%zz", "query"},
	} {
		var got string
		api := newAPI(t, func(o *httpapi.Options) {
			o.Status = fakeStatus{list: func(_, _ string, skip, limit int) ([]core.Entry, int, error) {
				got = strings.Trim(strings.Join([]string{itoa(limit), itoa(skip)}, " "), " ")
				return nil, 0, nil
			}}
		})
		w := serve(api, request(t, "GET", "/1/status/dscape/webhooks"+c.query, "", as("dscape")))
		if got == c.want && w.Code == http.StatusOK {
			continue
		}
		var body struct {
			Error  core.Code
			Reason string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusBadRequest ||
			body.Error != core.CodeStatusParams || !strings.Contains(body.Reason, c.want) || got != "" {
			t.Errorf("%q: got %d %s, asked for %q, want %q", c.query, w.Code, w.Body, got, c.want)
		}
	}
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestLinks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query string
		total int
		want  string // rel=skip
	}{
		{"", 0, "first=0 last=0"},
		{"?limit=10", 10, "first=0 last=0"},
		{"?limit=10", 11, "first=0 next=10 last=10"},
		{"?limit=10&skip=10", 35, "first=0 prev=0 next=20 last=30"},
		{"?limit=10&skip=5", 35, "first=0 prev=0 next=15 last=30"},
		{"?limit=10&skip=30", 35, "first=0 prev=20 last=30"},
		{"?limit=10&skip=500", 35, "first=0 prev=25 last=30"},
		{"?limit=10&skip=500", 5, "first=0 prev=0 last=0"},
	} {
		api := newAPI(t, func(o *httpapi.Options) {
			o.Status = fakeStatus{list: func(string, string, int, int) ([]core.Entry, int, error) { return nil, c.total, nil }}
		})
		w := serve(api, request(t, "GET", "/1/status/dscape/webhooks"+c.query, "", as("dscape")))
		var got []string
		for link := range strings.SplitSeq(w.Header().Get("Link"), ", ") {
			target, rel, _ := strings.Cut(link, ">; rel=")
			_, skip, _ := strings.Cut(target, "&skip=")
			got = append(got, strings.Trim(rel, `"`)+"="+skip)
		}
		if text := strings.Join(got, " "); text != c.want || w.Header().Get("X-Total-Count") != itoa(c.total) {
			t.Errorf("%q of %d: got %q, total %s, want %q", c.query, c.total, text, w.Header().Get("X-Total-Count"), c.want)
		}
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Status = fakeStatus{entry: func(user, id string) (core.Change, error) {
			if user != "dscape" || id != entryID {
				return core.Change{}, core.NewError(core.CodeStatusNotFound, "", core.ErrNotFound)
			}
			return changeOf(core.StatusError), nil
		}}
	})
	golden(t, "entry", whole(serve(api, request(t, "GET", "/1/status/dscape/changes/"+entryID, "", as("dscape")))))
	golden(t, "entry unknown", whole(serve(api, request(t, "GET", "/1/status/dscape/changes/x/", "", as("dscape")))))
}

// Unauthorized requests are refused before any other check, with equal responses.
func TestWhoMayLook(t *testing.T) {
	t.Parallel()
	api := newAPI(t, nil) // its use cases panic when called
	for _, path := range []string{
		"/1/status/dscape/webhooks?limit=0", "/1/status/dscape/webhooks/hello",
		"/1/status/dscape/changes?since=x", "/1/status/dscape/changes/" + entryID,
	} {
		for name, header := range map[string]string{
			"no credentials":    "X-Nothing: 1",
			"wrong password":    "Authorization: Basic ZHNjYXBlOndyb25n",
			"malformed":         "Authorization: Basic !",
			"Travis' old token": "Authorization: 0123456789abcdef",
		} {
			w := serve(api, request(t, "GET", path, "", header))
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s: got %d", path, name, w.Code)
			}
			golden(t, "unauthorized", whole(w))
		}
		golden(t, "not you", whole(serve(api, request(t, "GET", path, "", as("indexzero")))))
		golden(t, "no username", whole(serve(api, request(t, "GET", path, "", as("nameless")))))
		golden(t, "auth server down", whole(serve(api, request(t, "GET", path, "", as("down")))))
	}
}
