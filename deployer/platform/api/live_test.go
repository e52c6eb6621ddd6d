package api_test

import (
	"strings"
	"testing"
)

// masked returns a frame as a client sends it.
func masked(kind byte, text string) string {
	const mask = "mask"
	frame := []byte{0x80 | kind, 0x80 | byte(len(text))} //nolint:gosec // short texts
	frame = append(frame, mask...)
	for i := range text {
		frame = append(frame, text[i]^mask[i%4])
	}
	return string(frame)
}

// A client that follows a log says only that it is there, and is answered.
func TestLiveLogsProtocol(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	const call = "GET /primus/?subscribe=logs/me/app HTTP/1.1\r\nHost: x\r\nAuthorization: Basic bWU6bXkgcGFzc3dvcmQ=\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for name, c := range map[string]struct{ says, hears string }{
		"nothing":           {"", ""},
		"Primus' heartbeat": {masked(1, `"primus::ping::5"`), "\x81\x11\"primus::pong::5\""},
		"a ping":            {masked(9, "there?"), "\x8a\x06there?"},
		"a pong, and texts": {masked(10, "") + masked(1, `"hello"`) + masked(1, "") + masked(9, ""), "\x8a\x00"},
		"the end":           {masked(8, "\x03\xe8") + masked(9, "not heard"), "\x88\x02\x03\xe8"},
		"a frame unmasked":  {"\x89\x00" + masked(9, "not heard"), ""},
		"a part of a frame": {"\x01\x80mask" + masked(9, "not heard"), ""},
		"a frame too large": {"\x82\xff\x00\x00\x00\x00\x7f\xff\xff\xff" + masked(9, "not heard"), ""},
		"an unknown frame":  {masked(5, "") + masked(9, "not heard"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head, frames, _ := strings.Cut(b.raw(call+c.says), "\r\n\r\n")
			if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
				t.Errorf("it begins with %q", head)
			}
			if frames != c.hears {
				t.Errorf("it hears %q, want %q", frames, c.hears)
			}
		})
	}
}

func TestLiveLogsAreNotEverybodys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.refused(400, "invalid", me, "GET /primus/?subscribe=logs/me/app", "")
	b.refused(400, "invalid", me, "GET /primus/?subscribe=logs/me/..", "")
	b.refused(403, "forbidden", you, "GET /primus/?subscribe=logs/me/app", "")
	b.refused(404, "not_found", me, "GET /primus/?subscribe=logs/me/none", "")
	b.refused(401, "unauthorized", "", "GET /primus/?subscribe=logs/me/app", "")
}
