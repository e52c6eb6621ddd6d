package peer

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// errGone says that no process has the socket any more.
var errGone = errors.New("peer: the socket is closed")

// looks is how often the tables are read for a socket: while one is read, what
// is opened and closed may push a line out of sight.
const looks = 3

// owner returns the user who has the socket that is bound to from and
// connected to to.
func owner(from, to netip.AddrPort) (uid uint32, err error) {
	for range looks {
		for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			file, err := os.Open(table) //nolint:gosec // one of the two
			if os.IsNotExist(err) {
				continue // a kernel without IPv6
			}
			if err != nil {
				return 0, fmt.Errorf("peer: %w", err)
			}
			uid, ok := search(file, from, to)
			_ = file.Close() // only read
			if ok {
				return uid, nil
			}
		}
	}
	return 0, errGone
}

// search looks for the socket in a table. Where the firewall has led it here
// from another address, it is not connected to the one that we know: then one
// that is bound to the same will do.
func search(table io.Reader, from, to netip.AddrPort) (uid uint32, ok bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		s, whole := parse(lines.Text())
		if !whole || s.local != from {
			continue
		}
		if uid, ok = s.uid, true; s.remote == to {
			return uid, true
		}
	}
	return uid, ok
}

// socket is a line of a table.
type socket struct {
	local, remote netip.AddrPort
	uid           uint32
}

// parse reads a line; false where it is none of a socket that somebody has.
func parse(line string) (socket, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[9] == "0" { // the inode: there is none once it is closed
		return socket{}, false
	}
	local, localOK := parseAddress(fields[1])
	remote, remoteOK := parseAddress(fields[2])
	uid, err := strconv.ParseUint(fields[7], 10, 32)
	return socket{local, remote, uint32(uid)}, localOK && remoteOK && err == nil
}

// parseAddress reads an address: words of 32 bits as the machine has them, and
// the port, all in hexadecimal.
func parseAddress(text string) (netip.AddrPort, bool) {
	words, portText, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(words)
	port, portErr := strconv.ParseUint(portText, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), ok
}
