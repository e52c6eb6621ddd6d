package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// faultProxy is a TCP proxy that simulates the faults of a network.
type faultProxy struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// newFaultProxy returns a proxy for an address, without faults yet.
func newFaultProxy(t *testing.T, name, upstream string) *faultProxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &faultProxy{t, toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)}
	if err := p.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.proxy.Stop)
	return p
}

func (p *faultProxy) addr() string { return p.proxy.Listen }

// fault is one thing that happens to a connection.
type fault struct {
	kind       string
	stream     string // "upstream" is what the server sends
	toxicity   float64
	attributes object
}

func (f fault) String() string {
	return fmt.Sprintf("%s %s %v (of %.0f %%)", f.kind, f.stream, f.attributes, f.toxicity*100)
}

// faultKinds are all kinds of faults, each with what is chosen for one.
func faultKinds() map[string]func(r *rand.Rand) object {
	return map[string]func(r *rand.Rand) object{
		"down":      func(*rand.Rand) object { return nil },
		"half_open": func(*rand.Rand) object { return object{"timeout": 0} }, // nothing arrives, and the connection is not closed
		"timeout":   func(r *rand.Rand) object { return object{"timeout": 1 + r.IntN(500)} },
		"reset":     func(r *rand.Rand) object { return object{"timeout": r.IntN(200)} },
		"latency":   func(r *rand.Rand) object { return object{"latency": 100 + r.IntN(900), "jitter": r.IntN(100)} },
		"bandwidth": func(r *rand.Rand) object { return object{"rate": 1 + r.IntN(16)} }, // KB/s
		"slices": func(r *rand.Rand) object {
			return object{"average_size": 64 + r.IntN(512), "size_variation": 32, "delay": r.IntN(20_000)} // µs
		},
		"limit_data": func(r *rand.Rand) object { return object{"bytes": r.IntN(20_000)} },
	}
}

// toxicOf returns the library's name for a kind of fault.
func toxicOf(kind string) string {
	switch kind {
	case "half_open":
		return "timeout"
	case "reset":
		return "reset_peer"
	case "slices":
		return "slicer"
	}
	return kind
}

// newFault chooses the rest of a fault of a kind.
func newFault(r *rand.Rand, kind string) fault {
	f := fault{kind, "downstream", 1, faultKinds()[kind](r)}
	if r.IntN(2) == 0 {
		f.stream = "upstream"
	}
	if kind != "down" && r.IntN(3) == 0 {
		f.toxicity = 0.5
	}
	return f
}

// inject starts a fault, and returns a function that ends it.
func (p *faultProxy) inject(f fault) (end func()) {
	p.t.Helper()
	if f.kind == "down" {
		p.proxy.Stop()
		return p.up
	}
	described, err := json.Marshal(object{
		"name": f.kind, "type": toxicOf(f.kind), "stream": f.stream, "toxicity": f.toxicity, "attributes": f.attributes,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(string(described))); err != nil {
		p.t.Fatalf("%v: %v", f, err)
	}
	return func() {
		if err := p.proxy.Toxics.RemoveToxic(context.WithoutCancel(p.t.Context()), f.kind); err != nil {
			p.t.Errorf("%v: %v", f, err)
		}
	}
}

// up listens again at the same address. It waits if an outgoing connection of this
// machine uses its port meanwhile.
func (p *faultProxy) up() {
	eventually(p.t, "the proxy listens again at "+p.addr(), func() bool { return p.proxy.Start() == nil }, p.addr)
}

// Each kind of fault has its effect until it is ended.
func TestFaultProxy(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	echo, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Close() })
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // an echo
				buffer := make([]byte, 1<<10)
				for {
					n, err := conn.Read(buffer)
					if _, failed := conn.Write(buffer[:n]); err != nil || failed != nil {
						return
					}
				}
			}()
		}
	}()
	p := newFaultProxy(t, "echo", echo.Addr().String())
	// echoed returns how much of a text came back within a time.
	echoed := func(limit time.Duration) (back string, err error) {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", p.addr())
		if err != nil {
			return "", err
		}
		defer conn.Close() //nolint:errcheck // only a test's
		if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
			return "", err
		}
		if _, err := conn.Write([]byte("hello")); err != nil {
			return "", err
		}
		buffer := make([]byte, 5)
		for len(back) < 5 {
			n, err := conn.Read(buffer)
			back += string(buffer[:n])
			if err != nil {
				return back, err
			}
		}
		return back, nil
	}
	for kind := range faultKinds() {
		f := fault{kind, "downstream", 1, faultKinds()[kind](rand.New(rand.NewPCG(1, 1)))} //nolint:gosec // no secret
		limit := patience
		switch kind {
		case "half_open":
			limit = 200 * time.Millisecond
		case "limit_data":
			f.attributes["bytes"] = 2
		}
		end := p.inject(f)
		back, err := echoed(limit)
		switch kind {
		case "latency", "bandwidth", "slices":
			if back != "hello" || err != nil {
				t.Errorf("%v: got %q, %v", f, back, err)
			}
		case "limit_data":
			if back != "he" || err == nil {
				t.Errorf("%v: got %q, %v", f, back, err)
			}
		default:
			if back != "" || err == nil {
				t.Errorf("%v: got %q, %v", f, back, err)
			}
		}
		end()
		if back, err := echoed(patience); back != "hello" || err != nil {
			t.Errorf("after %v: got %q, %v", f, back, err)
		}
	}
}
