package processes

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// handshakeLimit is how long a drone may take to answer a handshake of TLS.
const handshakeLimit = time.Second

// checkPlain returns an error if the drones of the web process speak TLS on their port,
// and not HTTP: the router, which adds TLS for the clients, can't reach them.
func (g *generation) checkPlain(ctx context.Context) error {
	if g.web == 0 || g.version.Static != "" {
		return nil
	}
	d := g.slots[0].drone
	if !onlyTLS(ctx, d.addr) {
		return nil
	}
	return errTLS(d)
}

// errTLS is the failure of a drone that speaks TLS.
func errTLS(d *drone) error {
	return core.Errorf(core.CodePlatformStartFailed,
		"%s speaks TLS (HTTPS) on PORT, where requests arrive as plain HTTP: use http.createServer instead of https; the platform adds TLS for the app's clients", d.slot.title())
}

// onlyTLS reports whether what listens on addr speaks TLS, and does not answer HTTP.
func onlyTLS(ctx context.Context, addr string) bool {
	if !speaksTLS(ctx, addr) {
		return false
	}
	_, err := request(ctx, addr, "/") // some servers speak both
	return err != nil
}

// speaksTLS reports whether what listens on addr answers a handshake of TLS, if only
// with an alert. A server of HTTP answers it with 400, which no handshake begins with.
func speaksTLS(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()                                                                  //nolint:errcheck // nothing was sent on it
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) //nolint:gosec // nothing is sent
	alert, ok := errors.AsType[*net.OpError](err)
	return err == nil || ok && alert.Op == "remote error"
}
