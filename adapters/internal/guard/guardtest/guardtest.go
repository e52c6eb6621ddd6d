// Package guardtest has a fake name server, for tests of a guard.Guard with names
// that an attacker controls.
package guardtest

import (
	"context"
	"net"
	"net/netip"
	"testing"
)

// NewResolver returns a resolver for which each name has these addresses. Its name
// server is stopped at the end of the test.
func NewResolver(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	var config net.ListenConfig
	server, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			if _, err := server.WriteTo(answer(query[:n], addresses), from); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer answers a query for A records with addresses, any other with none.
func answer(query []byte, addresses []string) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	count := byte(0)
	var records []byte
	if question[len(question)-3] == 1 {
		count = byte(len(addresses)) //nolint:gosec // few
		for _, address := range addresses {
			records = append(records, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			records = append(records, netip.MustParseAddr(address).AsSlice()...)
		}
	}
	text := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0}, question...)
	return append(text, records...)
}
