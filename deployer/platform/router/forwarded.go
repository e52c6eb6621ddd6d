package router

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// forwardedHeaders returns the headers that describe the client and its request.
// Values that a client sent are dropped, so that an app can rely on them.
func forwardedHeaders() []string {
	return []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id",
	}
}

// forward sets the headers that describe the client: the peer of the connection,
// or if that is a trusted proxy, the client that it names. X-Forwarded-Host of a
// proxy is not trusted: few proxies set it, and most pass on the client's value.
func (r *Router) forward(in *http.Request, h http.Header) {
	client := r.o.Proxies.Client(in)
	proto, port := "http", "80"
	if client.Secure {
		proto, port = "https", "443"
	}
	if _, p, err := net.SplitHostPort(in.Host); err == nil && p != "" {
		port = p
	}
	for _, name := range forwardedHeaders() {
		delete(h, name)
	}
	h["X-Forwarded-Host"] = []string{in.Host}
	h["X-Forwarded-Port"] = []string{port}
	h["X-Forwarded-Proto"] = []string{proto}
	h["X-Request-Id"] = []string{requestID()}
	if !client.Addr.IsValid() {
		return
	}
	addr := client.Addr.String()
	h["X-Forwarded-For"] = []string{addr}
	h["X-Real-Ip"] = []string{addr}
	h["Forwarded"] = []string{forwarded(client, addr, in.Host, proto)}
}

// forwarded returns the value of the Forwarded header (RFC 7239).
func forwarded(client serve.Client, addr, host, proto string) string {
	if client.Addr.Is6() {
		addr = `"[` + addr + `]"`
	}
	text := "for=" + addr
	if host != "" && !strings.ContainsAny(host, `"\`) {
		text += `;host="` + host + `"`
	}
	return text + ";proto=" + proto
}

// requestID returns a new request id for the logs of an app: 32 hexadecimal digits.
func requestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never returns an error
	return hex.EncodeToString(id[:])
}
