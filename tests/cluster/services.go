package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// domain is the domain of the cluster's names.
const domain = "svc.cluster.local."

// servicesInterval is the time between two looks for new services.
const servicesInterval = 500 * time.Millisecond

// services is what kube-proxy and the DNS of a cluster do: connections to the
// address of a service go to one of its ready endpoints, and names have addresses.
// It is for pods that speak to each other; the addresses work on this machine too.
type services struct {
	c      *Cluster
	cancel context.CancelFunc
	done   sync.WaitGroup
	names  *dns.Server

	mu        sync.Mutex
	listeners map[netip.AddrPort]net.Listener
	addresses map[netip.Addr]bool // that the bridge has
}

// serveServices starts it.
func (c *Cluster) serveServices(ctx context.Context) (*services, error) {
	packets, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", c.net.at(dnsPort))
	if err != nil {
		return nil, err
	}
	s := &services{c: c, listeners: map[netip.AddrPort]net.Listener{}, addresses: map[netip.Addr]bool{c.net.api: true}}
	s.names = &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(s.answer)}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() { _ = s.names.ActivateAndServe() }) // until close
	s.done.Go(func() {
		ticks := time.NewTicker(servicesInterval)
		defer ticks.Stop()
		for {
			// While the API is away, everything stays as it is.
			_ = s.update(ctx)
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return s, nil
}

// service is a service of the API, as far as it is needed here.
type service struct {
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		ClusterIP string
		Ports     []struct {
			Name string
			Port uint16
		}
	}
}

// update listens on the addresses of new services.
func (s *services) update(ctx context.Context) error {
	var found struct{ Items []service }
	if err := s.c.get(ctx, "/api/v1/services", &found); err != nil {
		return err
	}
	var errs []error
	for _, service := range found.Items {
		address, err := netip.ParseAddr(service.Spec.ClusterIP)
		if err != nil {
			continue // it has none
		}
		for _, port := range service.Spec.Ports {
			errs = append(errs, s.listen(ctx, service, port.Name, netip.AddrPortFrom(address, port.Port)))
		}
	}
	return errors.Join(errs...)
}

// listen listens on the address of a port of a service, unless that is done already.
func (s *services) listen(ctx context.Context, service service, port string, address netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[address] != nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if !s.addresses[address.Addr()] {
		if err := s.c.net.add(ctx, address.Addr()); err != nil {
			return err
		}
		s.addresses[address.Addr()] = true
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address.String())
	if err != nil {
		return err
	}
	s.listeners[address] = listener
	s.done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			s.done.Go(func() { s.connect(ctx, conn, service, port) })
		}
	})
	return nil
}

// connect connects a client with an endpoint.
func (s *services) connect(ctx context.Context, client net.Conn, service service, port string) {
	defer client.Close() //nolint:errcheck // it may be closed
	address, err := s.awaitEndpoint(ctx, service, port)
	if err != nil {
		return
	}
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // it may be closed
	ended := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer ended()
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
}

// awaitEndpoint returns the address of a ready endpoint of a port. A Service has none
// for a moment after its pods got ready.
func (s *services) awaitEndpoint(ctx context.Context, service service, port string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticks := time.NewTicker(again)
	defer ticks.Stop()
	for {
		address, err := s.endpoint(ctx, service, port)
		if err == nil {
			return address, nil
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return "", err
		}
	}
}

// endpoint returns the address of a ready endpoint of a port.
func (s *services) endpoint(ctx context.Context, service service, port string) (string, error) {
	if service.Metadata.Name == "kubernetes" && service.Metadata.Namespace == "default" {
		return s.c.net.at(apiPort), nil
	}
	slices, err := s.slices(ctx, service.Metadata.Namespace, service.Metadata.Name)
	if err != nil {
		return "", err
	}
	var ready []string
	for _, slice := range slices {
		for _, p := range slice.Ports {
			if p.Name != port {
				continue
			}
			for _, address := range slice.ready() {
				ready = append(ready, net.JoinHostPort(address, strconv.Itoa(int(p.Port))))
			}
		}
	}
	if len(ready) == 0 {
		return "", fmt.Errorf("service %s has no ready endpoint", service.Metadata.Name)
	}
	return ready[rand.IntN(len(ready))], nil //nolint:gosec // any will do
}

// endpointSlice is one of the API, as far as it is needed here.
type endpointSlice struct {
	Endpoints []struct {
		Addresses  []string
		Conditions struct{ Ready *bool }
	}
	Ports []struct {
		Name string
		Port uint16
	}
}

func (e endpointSlice) ready() (addresses []string) {
	for _, endpoint := range e.Endpoints {
		if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
			addresses = append(addresses, endpoint.Addresses...)
		}
	}
	return addresses
}

func (s *services) slices(ctx context.Context, namespace, name string) ([]endpointSlice, error) {
	var found struct{ Items []endpointSlice }
	err := s.c.get(ctx, "/apis/discovery.k8s.io/v1/namespaces/"+namespace+"/endpointslices?labelSelector=kubernetes.io/service-name="+name, &found)
	return found.Items, err
}

// answer answers a question of a pod: SERVICE.NAMESPACE below the domain.
func (s *services) answer(w dns.ResponseWriter, question *dns.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) //nolint:forbidigo // DNS has no context
	defer cancel()
	reply := new(dns.Msg).SetReply(question)
	reply.Authoritative = true
	for _, q := range question.Question {
		addresses, err := s.addressesOf(ctx, q.Name)
		switch {
		case errors.Is(err, errNoName):
			reply.Rcode = dns.RcodeNameError
		case err != nil:
			reply.Rcode = dns.RcodeServerFailure
		case q.Qtype == dns.TypeA:
			for _, address := range addresses {
				reply.Answer = append(reply.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.ParseIP(address),
				})
			}
		}
	}
	_ = w.WriteMsg(reply) // the pod asks again
}

var errNoName = errors.New("no such name")

// addressesOf returns the addresses of a name.
func (s *services) addressesOf(ctx context.Context, name string) ([]string, error) {
	rest, ok := strings.CutSuffix(strings.ToLower(name), "."+domain)
	named, namespace, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(namespace, ".") {
		return nil, errNoName
	}
	var found struct{ Items []service }
	if err := s.c.get(ctx, "/api/v1/namespaces/"+namespace+"/services?fieldSelector=metadata.name="+named, &found); err != nil {
		return nil, err
	}
	if len(found.Items) == 0 {
		return nil, errNoName
	}
	if address := found.Items[0].Spec.ClusterIP; address != "None" {
		return []string{address}, nil
	}
	slices, err := s.slices(ctx, namespace, named)
	var all []string
	for _, slice := range slices {
		all = append(all, slice.ready()...)
	}
	return all, err
}

// close ends it.
func (s *services) close() error {
	s.cancel()
	err := s.names.Shutdown()
	s.mu.Lock()
	for _, listener := range s.listeners {
		err = errors.Join(err, listener.Close())
	}
	s.mu.Unlock()
	s.done.Wait()
	return err
}
