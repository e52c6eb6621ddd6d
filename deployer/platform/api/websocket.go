package api

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455 has it so; nothing relies on it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// socket is a WebSocket's server side (RFC 6455), as far as sending texts to
// somebody who says little needs it.
type socket struct {
	conn net.Conn
	in   *bufio.Reader

	mu sync.Mutex // held while a frame is written
}

// The frames that matter.
const (
	frameText  = 1
	frameClose = 8
	framePing  = 9
	framePong  = 10

	maxFrame = 4 << 10 // bytes that the other side may send at once
)

var errFrame = errors.New("api: a frame that no client of ours sends")

// upgrade makes a WebSocket of a call's connection.
func (c *call) upgrade() (*socket, error) {
	key := c.r.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(c.r.Header.Get("Upgrade"), "websocket") || key == "" {
		return nil, core.Errorf(core.CodePlatformInvalid, "This path speaks WebSocket")
	}
	conn, rw, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	s := &socket{conn: conn, in: rw.Reader}
	// Where this fails so does what follows.
	_ = s.send([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Powered-By: Nodejitsu/webhooks\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"))
	return s, nil
}

// write sends a frame, which must be taken soon.
func (s *socket) write(kind byte, payload []byte) error {
	frame := []byte{0x80 | kind}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n)) //nolint:gosec // it fits
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n)) //nolint:gosec // a length
	}
	return s.send(append(frame, payload...))
}

func (s *socket) send(bytes []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return err
	}
	_, err := s.conn.Write(bytes)
	return err
}

// read returns the next text, and answers what comes before it. It ends with
// the connection, or where nothing at all comes for too long.
func (s *socket) read() (string, error) {
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(2 * stall)); err != nil {
			return "", err
		}
		var head [2]byte
		if _, err := io.ReadFull(s.in, head[:]); err != nil {
			return "", err
		}
		length := int(head[1] & 0x7f)
		if length == 126 {
			var long [2]byte
			if _, err := io.ReadFull(s.in, long[:]); err != nil {
				return "", err
			}
			length = int(binary.BigEndian.Uint16(long[:]))
		}
		// A client masks what it sends, and has no reason to send it in parts.
		if whole, masked := head[0]&0xf0 == 0x80, head[1]&0x80 != 0; !whole || !masked || length > maxFrame || head[1]&0x7f == 127 {
			return "", errFrame
		}
		payload := make([]byte, 4+length)
		if _, err := io.ReadFull(s.in, payload); err != nil {
			return "", err
		}
		mask, payload := payload[:4], payload[4:]
		for i := range payload {
			payload[i] ^= mask[i%4]
		}
		switch head[0] & 0x0f {
		case frameText:
			return string(payload), nil
		case framePing:
			if err := s.write(framePong, payload); err != nil {
				return "", err
			}
		case framePong:
		case frameClose:
			return "", errors.Join(io.EOF, s.write(frameClose, payload))
		default:
			return "", errFrame
		}
	}
}
