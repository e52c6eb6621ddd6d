package forgehttp

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// A forge that answers with an ETag is asked for the same again on the condition that
// it changed; the caller sees the answer that was kept.
func TestConditional(t *testing.T) {
	t.Parallel()
	type reply struct {
		etag, body string
		fails      error
	}
	replies, sent := map[string]reply{}, []string{}
	c := &Conditional{Next: roundTrip(func(req *http.Request) (*http.Response, error) {
		r := replies[req.URL.Path]
		sent = append(sent, req.Method+" "+req.URL.Path+" "+req.Header.Get("If-None-Match"))
		header := http.Header{"X-Ratelimit-Remaining": {"7"}}
		if r.etag != "" {
			header.Set("ETag", r.etag)
		}
		if r.etag != "" && req.Header.Get("If-None-Match") == r.etag {
			return &http.Response{StatusCode: http.StatusNotModified, Header: header, Body: http.NoBody}, nil
		}
		header.Set("Link", "<2>")
		return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(io.MultiReader(strings.NewReader(r.body), failing{r.fails}))}, nil
	})}
	ask := func(method, path, token string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "https://forge.example"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		resp, err := c.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Link") != "<2>" || resp.Header.Get("X-Ratelimit-Remaining") != "7" {
			t.Errorf("%s: got %d %v", path, resp.StatusCode, resp.Header)
		}
		return string(body)
	}
	wants := func(path, token, body, condition string) {
		t.Helper()
		if got := ask(http.MethodGet, path, token); got != body {
			t.Errorf("%s: got %.20q, want %.20q", path, got, body)
		}
		if got := sent[len(sent)-1]; got != "GET "+path+" "+condition {
			t.Errorf("sent %q, want the condition %q", got, condition)
		}
	}
	replies["/runs"] = reply{etag: `W/"1"`, body: "one"}
	wants("/runs", "a", "one", "")
	wants("/runs", "a", "one", `W/"1"`)
	wants("/runs", "b", "one", "") // another user may see another answer
	replies["/runs"] = reply{etag: `W/"2"`, body: "two"}
	wants("/runs", "a", "two", `W/"1"`)
	wants("/runs", "a", "two", `W/"2"`)
	ask(http.MethodPost, "/runs", "a")
	if got := sent[len(sent)-1]; got != "POST /runs " {
		t.Errorf("sent %q", got)
	}
	for path, r := range map[string]reply{
		"/no-etag":   {body: "x"},
		"/too-large": {etag: `"1"`, body: strings.Repeat("x", maxKeptOne+1)},
		"/broken":    {etag: `"1"`, body: "x", fails: errors.New("reset")},
	} {
		replies[path] = r
		wants(path, "a", r.body, "")
		wants(path, "a", r.body, "")
	}
	// What is kept is limited.
	large := strings.Repeat("x", maxKeptOne)
	for path := range strings.FieldsSeq("/1 /2 /3 /4 /5 /6 /7 /8") {
		replies[path] = reply{etag: `"1"`, body: large}
		wants(path, "a", large, "")
	}
	wants("/8", "a", large, `"1"`)
	wants("/runs", "a", "two", "")         // it was used before the others
	const small = maxKept / answerOverhead // so many do not fit
	for i := range small {
		path := "/small/" + strconv.Itoa(i)
		replies[path] = reply{etag: `"1"`, body: "[]"}
		ask(http.MethodGet, path, "a")
	}
	if len(c.kept) >= small {
		t.Errorf("%d small answers are kept", len(c.kept))
	}
	if c.size > maxKept || c.recent.Len() != len(c.kept) {
		t.Errorf("%d bytes of %d answers are kept", c.size, c.recent.Len())
	}
}

// failing fails with its error, or at once ends.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
