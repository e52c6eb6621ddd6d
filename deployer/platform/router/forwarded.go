package router

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// forwardedHeaders say who asked for what. What a client sends in them is
// dropped: an app must be able to rely on them.
func forwardedHeaders() []string {
	return []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id",
	}
}

// forward tells the app who asked for what: who is connected, or if that is a
// trusted proxy, whom that names. X-Forwarded-Host is not believed, as few
// proxies set it, and most pass on what a client made up.
func (r *Router) forward(in *http.Request, h http.Header) {
	client := r.o.Proxies.Client(in)
	proto, port := "http", "80"
	if client.Secure {
		proto, port = "https", "443"
	}
	if _, given, err := net.SplitHostPort(in.Host); err == nil && given != "" {
		port = given
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

// forwarded returns the header Forwarded (RFC 7239).
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

// requestID returns one for the logs of an app: 32 hexadecimal digits.
func requestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, or ends the process
	return hex.EncodeToString(id[:])
}
