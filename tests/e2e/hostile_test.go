package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// witness is an app that lists its complete requests.
const witness = `const seen = [];
require('node:http').createServer((q, r) => {
  if (q.url === '/seen') return r.end(JSON.stringify(seen));
  const parts = [];
  q.on('data', (part) => parts.push(part));
  q.on('end', () => {
    seen.push({line: q.method + ' ' + q.url, body: Buffer.concat(parts).toString('latin1')});
    r.end('seen');
  });
}).listen(process.env.PORT);`

// seenRequest is a request as the witness saw it.
type seenRequest struct{ Line, Body string }

// deployed returns a server that runs the witness at witness.localhost.
func deployed(t *testing.T) *server {
	t.Helper()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("witness")
	repo.hook(s)
	repo.commit("first", map[string]string{"package.json": packageJSON("witness"), "index.js": witness})
	if got := answered(repo.pushed()); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	return s
}

func (s *server) seen() (all []seenRequest) {
	s.t.Helper()
	conn := s.dial(s.apps)
	all = nil
	answers := s.raw(conn, "GET /seen HTTP/1.1\r\nHost: witness.localhost\r\nConnection: close\r\n\r\n")
	if len(answers) != 1 || json.Unmarshal([]byte(answers[0].body), &all) != nil {
		s.t.Fatalf("the witness answers %v", answers)
	}
	return all
}

func (s *server) dial(addr string) net.Conn {
	s.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(s.t.Context(), "tcp", strings.TrimPrefix(addr, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// raw sends bytes and reads all answers, until the server closes the connection.
func (s *server) raw(conn net.Conn, text string) (answers []answer) {
	s.t.Helper()
	go func() { _, _ = io.WriteString(conn, text) }() // a refused request may not be read to its end
	all, err := io.ReadAll(conn)
	if err != nil && len(all) == 0 {
		s.t.Fatalf("no end after %.200q: %v", text, err)
	}
	in := bufio.NewReader(bytes.NewReader(all))
	for {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		if response.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			s.t.Fatalf("an answer to %.200q is broken: %v", text, err)
		}
		answers = append(answers, answer{response.StatusCode, response.Header, string(body)})
	}
}

const (
	smuggled = "GET /smuggled HTTP/1.1\r\nHost: witness.localhost\r\nX: y\r\n\r\n"
	chunked  = "Transfer-Encoding: chunked\r\n"
)

func length(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// A request with two lengths, or an ambiguous one, is the same single request for a
// proxy in front of the server and for the app behind it, or is refused.
func TestRequestSmuggling(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	const refused, broken = -1, -2
	for name, c := range map[string]struct {
		headers, rest string
		answers       int    // the one to the last request among them
		body          string // that the app gets
	}{
		"length, then chunks":                   {length(5+len(smuggled)) + chunked, "0\r\n\r\n" + smuggled, 1, ""},
		"chunks, then length":                   {chunked + length(4), chunk(smuggled) + "0\r\n\r\n", 1, smuggled},
		"chunks, and length 0":                  {length(0) + chunked, chunk("ab") + "0\r\n\r\n" + smuggled, 1, "ab"},
		"chunks alone":                          {chunked, chunk("ab") + "0\r\n\r\n" + smuggled, 1, "ab"},
		"chunks, folded":                        {"Transfer-Encoding:\r\n chunked\r\n" + length(5+len(smuggled)), "0\r\n\r\n" + smuggled, 1, ""},
		"length, folded":                        {"Content-Length:\r\n 2\r\n", "ab", 2, "ab"},
		"length, folded on":                     {"Content-Length: 2\r\n 0\r\n", "ab", refused, ""},
		"length and no chunks":                  {length(len(smuggled)), smuggled, 2, smuggled},
		"the same length twice":                 {length(2) + length(2), "ab", 2, "ab"},
		"two lengths":                           {length(0) + length(len(smuggled)), smuggled, refused, ""},
		"two lengths, the other way":            {length(len(smuggled)) + length(0), smuggled, refused, ""},
		"two lengths in one":                    {"Content-Length: 0, 62\r\n", smuggled, refused, ""},
		"the same in one":                       {"Content-Length: 2, 2\r\n", "ab", refused, ""},
		"length with a sign":                    {"Content-Length: +2\r\n", "ab", refused, ""},
		"length below zero":                     {"Content-Length: -2\r\n", "ab", refused, ""},
		"length in hex":                         {"Content-Length: 0x2\r\n", "ab", refused, ""},
		"length empty":                          {"Content-Length: \r\n", smuggled, refused, ""},
		"length beyond 64 bits":                 {"Content-Length: 18446744073709551618\r\n", "ab", refused, ""},
		"length, and a space":                   {"Content-Length : 0\r\n" + length(len(smuggled)), smuggled, refused, ""},
		"length, bare CR":                       {"X: y\rContent-Length: 0\r\n" + length(2), "ab", refused, ""},
		"chunks, and a space":                   {"Transfer-Encoding : chunked\r\n" + length(2), "ab", refused, ""},
		"chunks, and a space before":            {" Transfer-Encoding: chunked\r\n" + length(2), "ab", refused, ""},
		"chunks, other":                         {"Transfer-Encoding: xchunked\r\n" + length(2), "ab", refused, ""},
		"chunks, vertical tab":                  {"Transfer-Encoding: \x0bchunked\r\n" + length(2), "ab", refused, ""},
		"chunks, NUL":                           {"Transfer-Encoding: chunked\x00\r\n" + length(2), "ab", refused, ""},
		"chunks, quoted":                        {"Transfer-Encoding: \"chunked\"\r\n" + length(2), "ab", refused, ""},
		"chunks, then identity":                 {"Transfer-Encoding: chunked, identity\r\n" + length(2), "ab", refused, ""},
		"identity":                              {"Transfer-Encoding: identity\r\n" + length(2), "ab", refused, ""},
		"chunks twice":                          {chunked + chunked, "0\r\n\r\n" + smuggled, refused, ""},
		"chunks, packed":                        {"Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + smuggled, refused, ""},
		"no chunks, empty":                      {"Transfer-Encoding:\r\n" + length(2), "ab", refused, ""},
		"a header without a colon":              {"X\r\n" + length(2), "ab", refused, ""},
		"a header with a space":                 {"X Y: z\r\n" + length(2), "ab", refused, ""},
		"a header with NUL":                     {"X: \x00\r\n" + length(2), "ab", refused, ""},
		"two hosts":                             {"Host: other.localhost\r\n" + length(2), "ab", refused, ""},
		"length is of the connection":           {"Connection: Content-Length\r\n" + length(2), "ab", 2, "ab"},
		"headers without end":                   {"X: " + strings.Repeat("y", 100_000) + "\r\n" + length(2), "ab", refused, ""},
		"a chunk below zero":                    {chunked, "-2\r\nab\r\n0\r\n\r\n" + smuggled, broken, ""},
		"a chunk in hex":                        {chunked, "0x2\r\nab\r\n0\r\n\r\n" + smuggled, broken, ""},
		"a chunk beyond 64 bits":                {chunked, "10000000000000002\r\nab\r\n0\r\n\r\n" + smuggled, broken, ""},
		"a chunk longer than it says":           {chunked, "2\r\nabc\r\n0\r\n\r\n" + smuggled, broken, ""},
		"an extension with a bare LF":           {chunked, "2;x\nab\r\n0\r\n\r\n" + smuggled, broken, ""},
		"an extension of 100 KB":                {chunked, "2;" + strings.Repeat("x", 100_000) + "\r\nab\r\n0\r\n\r\n" + smuggled, broken, ""},
		"chunks that end by a bare LF":          {chunked, "2\nab\n0\n\n" + smuggled, broken, ""},
		"a trailer that is a length":            {chunked, chunk("ab") + "0\r\nContent-Length: 62\r\n\r\n" + smuggled, 1, "ab"},
		"a trailer that is a host":              {chunked + "Trailer: Host\r\n", chunk("ab") + "0\r\nHost: other\r\n\r\n" + smuggled, broken, "ab"},
		"an upgrade to an unsupported protocol": {"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + length(2), "ab", 2, "ab"},
	} {
		for target, addr := range map[string]string{"api": s.api, "platform": s.platform, "apps": s.apps} {
			t.Run(name+"/"+target, func(t *testing.T) {
				t.Parallel()
				path := "/" + strings.ReplaceAll(name, " ", "-")
				text := "POST " + path + " HTTP/1.1\r\nHost: witness.localhost\r\n" + c.headers + "\r\n" + c.rest
				// What is refused is the last too, and so is never seen.
				answers := s.raw(s.dial(addr), text+"GET /last HTTP/1.1\r\nHost: witness.localhost\r\nConnection: close\r\n\r\n")
				switch c.answers {
				case refused:
					if len(answers) != 1 || answers[0].status < 400 || answers[0].status > 501 {
						t.Errorf("got %v, want one refusal", answers)
					}
				case broken:
					if len(answers) > 1 {
						t.Errorf("got %v, want one answer at most", answers)
					}
				default:
					if len(answers) != c.answers {
						t.Errorf("got %v, want %d answers", answers, c.answers)
					}
				}
				if target != "apps" {
					return
				}
				var got []string
				for _, one := range s.seen() {
					if one.Line == "GET /smuggled" {
						t.Errorf("a request was smuggled")
					}
					if one.Line == "POST "+path {
						got = append(got, one.Body)
					}
				}
				wanted := 1
				if c.answers == refused || c.answers == broken && len(got) == 0 {
					wanted = 0
				}
				if len(got) != wanted || wanted == 1 && c.answers != broken && got[0] != c.body {
					t.Errorf("the app saw %q, want %d with %q", got, wanted, c.body)
				}
			})
		}
	}
}

// Request lines that a proxy, the server and an app might read differently reach the
// app unchanged, or not at all.
func TestHostileRequestLines(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	for line, want := range map[string]string{ // what the app sees; "": nothing
		"GET /a%2f..%2f..%2fetc HTTP/1.1":                   "GET /a%2f..%2f..%2fetc",
		"GET /../../etc HTTP/1.1":                           "GET /../../etc",
		"GET //evil/x HTTP/1.1":                             "GET //evil/x",
		"GET /x?a=%0d%0aX-Evil:%201 HTTP/1.1":               "GET /x?a=%0d%0aX-Evil:%201",
		"GET http://witness.localhost/abs HTTP/1.1":         "GET /abs",
		"GET http://other.localhost/smuggled HTTP/1.1":      "",
		"GET /b /smuggled HTTP/1.1":                         "",
		"GET /c\x00 HTTP/1.1":                               "",
		"GET /d\r HTTP/1.1":                                 "",
		"GET /e%zz HTTP/1.1":                                "",
		"GET f HTTP/1.1":                                    "",
		"GET /g HTTP/1.1 ":                                  "",
		"GET /h HTTP/9.9":                                   "",
		"GET /i HTTP/1.1\nX: y":                             "GET /i",
		"GET /j":                                            "",
		"PRI * HTTP/2.0":                                    "",
		"CONNECT witness.localhost:80 HTTP/1.1":             "",
		"G\x00T /k HTTP/1.1":                                "",
		"GET /" + strings.Repeat("l", 80<<10) + " HTTP/1.1": "",
	} {
		t.Run(fmt.Sprintf("%.40q", line), func(t *testing.T) {
			before := len(s.seen())
			answers := s.raw(s.dial(s.apps), line+"\r\nHost: witness.localhost\r\nConnection: close\r\n\r\n")
			seen := s.seen()[before:]
			if want == "" && len(seen) > 0 && !strings.HasPrefix(line, "CONNECT") || want != "" && (len(seen) != 1 || seen[0].Line != want) {
				t.Errorf("the app saw %v, want %q", seen, want)
			}
			if len(answers) > 1 || len(answers) == 0 && want != "" {
				t.Errorf("got %v", answers)
			}
			for _, one := range answers {
				if one.header.Get("X-Evil") != "" {
					t.Errorf("a header was injected: %v", one.header)
				}
			}
		})
	}
}

// Names that contain path elements, control characters or too much are not found, in
// the webhooks API and in the platform's.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	s := serve(t)
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + "\r\n"
	for _, name := range []string{
		"..", ".", "%2e%2e", "%2e", "..%2f..%2fetc%2fpasswd", "dscape%2fx", "dscape%00", "%00", "dscape%0d%0aX-Evil:%201", "dscape%5c..", "%5c",
		"%c0%ae%c0%ae", "%ff", "%e2%80%ae", "Dscape", "dscape%20", "%20dscape", "dscape.", "dscape%2e%2e", "-", "_", "{dscape}", "%7bdscape%7d", "dscape:x", "dscape%3ax",
		"dscape;x", "*", "%2a", "$where", "__proto__", "constructor", "dscape?x", "dscape%3fx", "ｄscape", strings.Repeat("a", 65), strings.Repeat("a", 10<<10), strings.Repeat("%61", 10<<10),
		strings.Repeat("../", 1000) + "etc/passwd", strings.Repeat("a", 70<<10), "dscape\x00", "dscape\x7f", "dscape\t",
	} {
		for _, route := range []struct{ addr, method, before, behind string }{
			{s.api, "GET", "/1/status/", "/webhooks"},
			{s.api, "GET", "/1/status/dscape/webhooks/", ""},
			{s.api, "GET", "/1/status/", "/changes?feed=normal"},
			{s.api, "GET", "/1/status/dscape/changes/", ""},
			{s.api, "POST", "/1/status/dscape/changes/", "/release"},
			{s.platform, "GET", "/apps/", ""},
			{s.platform, "GET", "/apps/dscape/", ""},
			{s.platform, "POST", "/apps/dscape/", ""},
			{s.platform, "DELETE", "/apps/dscape/", ""},
			{s.platform, "GET", "/apps/dscape/x/snapshots/", ".tgz"},
			{s.platform, "POST", "/apps/dscape/x/snapshots/", ""},
			{s.platform, "GET", "/users/", ""},
			{s.platform, "GET", "/logs/dscape/", "/100"},
			{s.platform, "DELETE", "/users/dscape/thirdparty/", ""},
		} {
			// Of some routes these are not hostile, or make another one.
			if strings.Contains(name, "?") || strings.Contains("constructor __proto__ -", name) && route.addr == s.platform {
				continue
			}
			// What is not the name of a user may be that of an ssh key; there are none.
			if route.before == "/users/" && strings.Contains("dscape. dscape%2e%2e", name) {
				continue
			}
			if route.before == "/apps/dscape/" && route.method == "POST" && strings.Contains("dscape. constructor", name) {
				continue
			}
			line := route.method + " " + route.before + name + route.behind
			answers := s.raw(s.dial(route.addr), line+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"+basic+"\r\n")
			if len(answers) != 1 {
				t.Errorf("%.100q: got %v, want one answer", line, answers)
				continue
			}
			got := answers[0]
			if got.status < 400 || got.status > 499 || got.header.Get("X-Evil") != "" || got.header.Get("Location") != "" || strings.Contains(got.body, "root:") {
				t.Errorf("%.100q: got %d %v %.200s", line, got.status, got.header, got.body)
			}
		}
	}
	if log := s.stderr(); strings.Contains(log, "panic") || strings.Contains(log, `"level":"ERROR"`) {
		t.Error("the server failed")
	}
}

// Bodies at the size limit and above it, however they are sent.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	head := "POST /1/deploy HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: ping\r\nConnection: close\r\nAuthorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + "\r\n"
	ping := `{"zen":"x","hook_id":1}`
	fill := func(size int) string {
		return ping[:len(ping)-1] + `,"x":"` + strings.Repeat("x", size-len(ping)-len(`,"x":""`)) + `"}`
	}
	sized := func(body string) string { return head + length(len(body)) + "\r\n" + body }
	inChunks := func(body string) string { return head + chunked + "\r\n" + chunk(body) + "0\r\n\r\n" }
	for name, c := range map[string]struct {
		text string
		want int
		code string
	}{
		"25 MiB":                     {sized(fill(core.MaxPayload)), 200, ""},
		"25 MiB in chunks":           {inChunks(fill(core.MaxPayload)), 200, ""},
		"25 MiB that is waited for":  {head + "Expect: 100-continue\r\n" + length(core.MaxPayload) + "\r\n" + fill(core.MaxPayload), 200, ""},
		"25 MiB and a byte":          {sized(fill(core.MaxPayload + 1)), 413, "deploy:payload:too_large"},
		"a byte more in chunks":      {inChunks(fill(core.MaxPayload + 1)), 413, "deploy:payload:too_large"},
		"too much, only announced":   {head + length(core.MaxPayload+1) + "\r\n", 413, "deploy:payload:too_large"},
		"too much, waited for":       {head + "Expect: 100-continue\r\n" + length(core.MaxPayload+1) + "\r\n", 413, "deploy:payload:too_large"},
		"an exabyte, only announced": {head + length(1<<60) + "\r\n", 413, "deploy:payload:too_large"},
		"an unknown expectation":     {head + "Expect: 200-ok\r\n" + length(2) + "\r\n{}", 417, ""},
		"gzip":                       {head + "Content-Encoding: gzip\r\n" + length(2) + "\r\n\x1f\x8b", 415, "deploy:payload:encoding"},
		"gzip, later":                {head + "Content-Encoding: identity, gzip\r\n" + length(2) + "\r\n\x1f\x8b", 415, "deploy:payload:encoding"},
		"nested 10,000 deep":         {sized(`{"zen":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}"), 400, "deploy:provider:not_supported"},
		"open for ever":              {sized(strings.Repeat(`{"a":`, 1_000_000)), 400, "deploy:provider:not_supported"},
		"a key twice":                {sized(`{"zen":"x","hook_id":1,"repository":{},"repository":{}}`), 400, "deploy:provider:not_supported"},
		"NUL":                        {sized("{\"zen\":\"\x00\"}"), 400, "deploy:provider:not_supported"},
		"a byte order mark":          {sized("\ufeff" + ping), 200, ""},
		"not UTF-8":                  {sized("{\"zen\":\"x\",\"repository\":{\"name\":\"\xff\"}}"), 400, "deploy:provider:not_supported"},
		"a number beyond all":        {sized(`{"zen":"x","hook_id":1e999999}`), 200, ""},
		"no body":                    {head + "\r\n", 400, "deploy:no_payload"},
		"a form in a form":           {sized("payload=payload%3D%257B%257D"), 400, "deploy:provider:not_supported"},
	} {
		t.Run(name, func(t *testing.T) { // one at a time: some are large
			answers := s.raw(s.dial(s.api), c.text)
			if len(answers) != 1 || answers[0].status != c.want {
				t.Fatalf("got %v, want %d", answers, c.want)
			}
			if c.code == "" {
				return
			}
			if got := answers[0].json(t)["error"]; got != c.code {
				t.Errorf("got %s, want %s", answers[0].body, c.code)
			}
		})
	}
}
