package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
)

// The ports of the programs on the address of the bridge, which is the cluster's
// own.
const (
	dnsPort        = 53
	registryPort   = 5000
	etcdPort       = 2379
	etcdPeersPort  = 2380
	apiPort        = 6443
	kubeletPort    = 10250
	healthPort     = 10248
	lastSubnet     = 255
	podsPattern    = "10.231.%d.0/24"
	servicePattern = "10.232.%d.0/24"
)

// network is a bridge that connects the pods with this machine. Nothing else
// reaches it.
type network struct {
	bridge   string
	host     netip.Addr   // of this machine
	pods     netip.Prefix // of the bridge
	services netip.Prefix
	api      netip.Addr // of the service of the API
}

// bridgePrefix begins the names of the bridges.
const bridgePrefix = "kubetest"

// newNetwork creates a bridge with addresses that nothing on this machine has, after it
// has removed what clusters have left whose process was killed. The name of the bridge
// reserves the addresses.
func newNetwork(ctx context.Context, by owner) (*network, error) {
	release, err := lockNetworks()
	if err != nil {
		return nil, err
	}
	defer release()
	if err := removeDead(ctx); err != nil {
		return nil, fmt.Errorf("removing what an earlier cluster has left: %w", err)
	}
	used, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var errs []error
	for i := range lastSubnet + 1 {
		number := (os.Getpid() + i) % (lastSubnet + 1)
		n := &network{
			bridge:   bridgePrefix + strconv.Itoa(number),
			pods:     netip.MustParsePrefix(fmt.Sprintf(podsPattern, number)),
			services: netip.MustParsePrefix(fmt.Sprintf(servicePattern, number)),
		}
		n.host, n.api = n.pods.Addr().Next(), n.services.Addr().Next()
		if n.overlaps(used) {
			continue
		}
		if _, err := output(ctx, "ip", "link", "add", n.bridge, "type", "bridge"); err != nil {
			errs = append(errs, err)
			continue
		}
		_, err0 := output(ctx, "ip", "link", "set", n.bridge, "alias", by.String())
		_, err1 := output(ctx, "ip", "address", "add", netip.PrefixFrom(n.host, n.pods.Bits()).String(), "dev", n.bridge)
		err2 := n.add(ctx, n.api)
		_, err3 := output(ctx, "ip", "link", "set", n.bridge, "up")
		if err := errors.Join(err0, err1, err2, err3); err != nil {
			return nil, errors.Join(err, n.remove(ctx))
		}
		return n, nil
	}
	return nil, fmt.Errorf("no network is free: %w", errors.Join(errs...))
}

func (n *network) overlaps(used []net.Addr) bool {
	for _, a := range used {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && (prefix.Overlaps(n.pods) || prefix.Overlaps(n.services)) {
			return true
		}
	}
	return false
}

// at returns the address of a port of this machine on the bridge.
func (n *network) at(port int) string {
	return net.JoinHostPort(n.host.String(), strconv.Itoa(port))
}

// add adds the address of a service. Pods reach it by their default route, which is
// this machine.
func (n *network) add(ctx context.Context, address netip.Addr) error {
	_, err := output(ctx, "ip", "address", "add", address.String()+"/32", "dev", n.bridge)
	return err
}

// remove removes the bridge, even if ctx has ended.
func (n *network) remove(ctx context.Context) error {
	_, err := output(context.WithoutCancel(ctx), "ip", "link", "delete", n.bridge)
	return err
}
