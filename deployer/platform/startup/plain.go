package startup

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// answerLimit is how long a drone may take to answer a request, or a handshake of TLS.
const answerLimit = 5 * time.Second

// CheckPlain returns an error with the code [core.CodePlatformStartFailed] if a web process
// speaks TLS at addr, and not HTTP: the router, which adds TLS for the clients, can't
// use it. If it can't be reached, it returns nil. title names the drone.
func CheckPlain(ctx context.Context, addr, title string) error {
	if !speaksTLS(ctx, addr) {
		return nil
	}
	if _, err := Get(ctx, addr, "/"); err == nil {
		return nil // it speaks both
	}
	return core.Errorf(core.CodePlatformStartFailed,
		"%s speaks TLS (HTTPS) on PORT, where requests arrive as plain HTTP: use http.createServer instead of https; the platform adds TLS for the app's clients", title)
}

// speaksTLS reports whether what listens on addr answers a handshake of TLS, if only
// with an alert. A server of HTTP answers it with 400, which no handshake begins with.
func speaksTLS(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
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

// Get returns the status with which a web process at addr, HOST:PORT, answers a request
// for a path. The request is sent to it directly, without a proxy, and redirects are not
// followed.
func Get(ctx context.Context, addr, path string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("startup: the path can't be requested: %w", err)
	}
	req.Header.Set("User-Agent", "webhooks-health")
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       answerLimit,
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("startup: requesting a path of the drone: %w", err)
	}
	_ = resp.Body.Close() // the status is enough
	return resp.StatusCode, nil
}
