package e2e

import (
	"io"
	"strings"
	"testing"
	"time"
)

// An incomplete request is ended by the program's own time limits, on each port.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const halfBody = "half a body"
	for target, addr := range map[string]string{"api": s.api, "platform": s.platform, "apps": s.apps} {
		for name, text := range map[string]string{
			"nothing":            "",
			"half a line":        "GET / HT",
			"half the headers":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n",
			"many short headers": "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 1000),
			halfBody:             "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
		} {
			t.Run(target+"/"+name, func(t *testing.T) {
				t.Parallel()
				conn := s.dial(addr)
				if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, text); err != nil {
					t.Fatal(err)
				}
				all, err := io.ReadAll(conn) // until they end it
				if err != nil || name != halfBody && strings.Contains(strings.ToLower(string(all)), "x-api-uuid") {
					t.Errorf("got %q, %v; want the end", all, err)
				}
			})
		}
	}
}
