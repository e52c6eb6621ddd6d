package peer

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// table is one, in which the addresses' words are as this machine has them.
func table() string {
	word := func(b ...byte) string { return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b)) }
	return strings.NewReplacer("LOOP4", word(127, 0, 0, 1), "MAPPED", word(0, 0, 255, 255), "LAST1", word(0, 0, 0, 1)).Replace(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: LOOP4:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0000000000000000 100 0 0 10 0
   1: LOOP4:A000 LOOP4:0050 01 00000000:00000000 00:00000000 00000000 50001        0 101 1 0000000000000000 20 4 30 10 -1
   2: LOOP4:A000 LOOP4:1F41 01 00000000:00000000 00:00000000 00000000  1000        0 102 1 0000000000000000 20 4 30 10 -1
   3: LOOP4:A001 LOOP4:1F41 06 00000000:00000000 03:00000E2A 00000000     0        0 0 3 0000000000000000
   4: LOOP4:A002 LOOP4:0050 01 00000000:00000000 00:00000000 00000000 50002        0 103 1 0000000000000000 20 4 30 10 -1
   5: 0000000000000000MAPPEDLOOP4:A003 0000000000000000MAPPEDLOOP4:1F41 01 00000000:00000000 00:00000000 00000000 50003        0 104 1 0000000000000000 20 4 30 10 -1
   6: 000000000000000000000000LAST1:A004 000000000000000000000000LAST1:1F41 01 00000000:00000000 00:00000000 00000000 50004        0 105 1 0000000000000000 20 4 30 10 -1
   7: nonsense:A005 LOOP4:1F41 01 0 0 0 1 0 1
`)
}

func TestSearch(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]uint32{
		"127.0.0.1:40960": 1000,  // another one has the same port, for another connection
		"127.0.0.1:40961": 0,     // closed
		"127.0.0.1:40962": 50002, // led here by the firewall
		"127.0.0.1:40963": 50003,
		"[::1]:40964":     50004,
		"127.0.0.1:40965": 0,
		"127.0.0.2:40960": 0,
	} {
		to := netip.MustParseAddrPort("127.0.0.1:8001")
		if strings.HasPrefix(from, "[") {
			to = netip.MustParseAddrPort("[::1]:8001")
		}
		uid, ok := search(strings.NewReader(table()), netip.MustParseAddrPort(from), to)
		if uid != want || ok != (want != 0) {
			t.Errorf("%s is of %d, %v, want %d", from, uid, ok, want)
		}
	}
}
