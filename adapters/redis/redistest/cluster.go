package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Cluster is a Redis Cluster of three masters, without replicas, each of which
// has a third of the slots. It ends with the test.
type Cluster struct {
	Nodes []*Server

	t testing.TB
}

const slots = 16384

// StartCluster starts a Cluster and waits until each node reports that it works.
// args are added to the command line of each node.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	args = append([]string{"--cluster-node-timeout", "2000"}, args...)
	c := &Cluster{t: t}
	const size = 3
	for range size {
		c.Nodes = append(c.Nodes, startServer(t, node, args...))
	}
	for i, n := range c.Nodes {
		n.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		n.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/size), strconv.Itoa((i+1)*slots/size-1))
		if first := c.Nodes[0]; n != first {
			n.do("CLUSTER", "MEET", "127.0.0.1", port(t, first.Addr), port(t, first.bus))
		}
	}
	c.Settle()
	return c
}

// Addrs returns the addresses of the nodes for a client.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.Addr)
	}
	return all
}

// Settle waits until each node knows all the others and has a master for each slot.
func (c *Cluster) Settle() {
	c.t.Helper()
	until(c.t, func() string {
		for _, n := range c.Nodes {
			info, err := n.ask("CLUSTER", "INFO")
			if err != nil {
				return err.Error()
			}
			for _, want := range []string{
				"cluster_state:ok", fmt.Sprintf("cluster_slots_ok:%d", slots), fmt.Sprintf("cluster_known_nodes:%d", len(c.Nodes)),
			} {
				if !strings.Contains(info, want) {
					return want + " at " + n.Addr + ", which says\n" + info
				}
			}
		}
		return ""
	})
}

// Owner returns the node that has a key's slot.
func (c *Cluster) Owner(key string) *Server {
	c.t.Helper()
	slot, err := strconv.Atoi(c.Nodes[0].Do("CLUSTER", "KEYSLOT", key))
	if err != nil {
		c.t.Fatal(err)
	}
	// The line of a node: id, address, flags, ..., and the slots, as "0-5460" or "7".
	for _, n := range c.Nodes {
		for line := range strings.Lines(n.Do("CLUSTER", "NODES")) {
			words := strings.Fields(line)
			if len(words) < 8 || !strings.Contains(words[2], "myself") {
				continue
			}
			for _, slotRange := range words[8:] {
				first, last, isRange := strings.Cut(slotRange, "-")
				if !isRange {
					last = first
				}
				from, err := strconv.Atoi(first)
				if err != nil {
					continue // "[7->-ID]": being moved
				}
				if to, err := strconv.Atoi(last); err == nil && from <= slot && slot <= to {
					return n
				}
			}
		}
	}
	c.t.Fatalf("no node has the slot of %s", key)
	return nil
}

// Move moves a key's slot to another node, as redis-cli --cluster reshard does.
// Half way, when each node has a part of its keys, it calls half.
func (c *Cluster) Move(key string, to *Server, half func()) {
	c.t.Helper()
	from, slot := c.Owner(key), c.Nodes[0].Do("CLUSTER", "KEYSLOT", key)
	fromID, toID := from.Do("CLUSTER", "MYID"), to.Do("CLUSTER", "MYID")
	to.do("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.do("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	count := func() int {
		n, err := strconv.Atoi(from.Do("CLUSTER", "COUNTKEYSINSLOT", slot))
		if err != nil {
			c.t.Fatal(err)
		}
		return n
	}
	move := func(keys int) {
		if keys == 0 {
			return
		}
		names := strings.Split(from.Do("CLUSTER", "GETKEYSINSLOT", slot, strconv.Itoa(keys)), "\n")
		for some := range slices.Chunk(names, 100) {
			from.do(append([]string{"MIGRATE", "127.0.0.1", port(c.t, to.Addr), "", "0", "60000", "KEYS"}, some...)...)
		}
	}
	move(count() / 2)
	half()
	for keys := count(); keys > 0; keys = count() {
		move(keys)
	}
	to.do("CLUSTER", "SETSLOT", slot, "NODE", toID)
	for _, n := range c.Nodes {
		if n != to {
			n.do("CLUSTER", "SETSLOT", slot, "NODE", toID)
		}
	}
}
