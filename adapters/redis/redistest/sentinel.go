package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Sentinel is a master with one replica, and three Sentinels that replace the
// master when two of them could not reach it for the time of DownAfter. That is a
// minute at first, so that a busy machine is not a reason. It ends with the test.
type Sentinel struct {
	Name      string    // of the master, at the Sentinels
	Servers   []*Server // the first is the master at the beginning
	Sentinels []*Server

	t testing.TB
}

const masterName = "main"

// StartSentinel starts them, and waits until the replica has what the master
// has and all know each other. args are added to the command lines of the
// master and of the replica.
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	args = append([]string{"--repl-diskless-sync-delay", "0"}, args...)
	s := &Sentinel{Name: masterName, t: t}
	master := Start(t, args...)
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.Servers = []*Server{master, Start(t, append([]string{"--replicaof", host, port}, args...)...)}
	for range 3 {
		s.Sentinels = append(s.Sentinels, startServer(t, sentinel, host, port))
	}
	for _, sentinel := range s.Sentinels {
		sentinel.hasten()
	}
	s.Settle()
	return s
}

// hasten makes a Sentinel poll often. By default, it polls every 10 seconds.
func (s *Server) hasten() {
	s.t.Helper()
	s.do("SENTINEL", "DEBUG", "info-period", "500", "publish-period", "250", "ask-period", "250")
}

// sentinelFile returns the configuration file of a Sentinel, and creates it if it is
// missing. The Sentinel writes its state there.
func (s *Server) sentinelFile() string {
	s.t.Helper()
	file := filepath.Join(s.dir, "sentinel.conf")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	text := fmt.Sprintf("sentinel monitor %[1]s %[2]s 2\nsentinel down-after-milliseconds %[1]s 60000\nsentinel failover-timeout %[1]s 3000\n",
		masterName, strings.Join(s.args, " "))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// Addrs returns the addresses of the Sentinels for a client.
func (s *Sentinel) Addrs() []string {
	var all []string
	for _, server := range s.Sentinels {
		all = append(all, server.Addr)
	}
	return all
}

// Settle waits until the master has the other server as a replica with all its
// data, and all Sentinels know both and each other.
func (s *Sentinel) Settle() {
	s.t.Helper()
	until(s.t, func() string {
		master, missing := s.master()
		if missing != "" {
			return missing
		}
		if info, err := master.ask("INFO", "replication"); err != nil || !strings.Contains(info, "role:master") ||
			!strings.Contains(info, "state=online") {
			return fmt.Sprintf("a replica of %s, which says %v\n%s", master.Addr, err, info)
		}
		for _, sentinel := range s.Sentinels {
			if missing := sentinel.knows(len(s.Servers)-1, len(s.Sentinels)-1); missing != "" {
				return missing
			}
		}
		return ""
	})
}

// knows reports whether a Sentinel knows that many healthy replicas and other
// Sentinels.
func (s *Server) knows(replicas, sentinels int) (missing string) {
	about, err := s.ask("SENTINEL", "MASTER", masterName)
	if err != nil {
		return err.Error()
	}
	of := pairs(about)
	if of["flags"] != "master" || of["num-slaves"] != strconv.Itoa(replicas) || of["num-other-sentinels"] != strconv.Itoa(sentinels) {
		return fmt.Sprintf("%d replicas and %d other Sentinels at %s, which says %v", replicas, sentinels, s.Addr, of)
	}
	about, err = s.ask("SENTINEL", "REPLICAS", masterName)
	if err != nil {
		return err.Error()
	}
	if of := pairs(about); of["flags"] != "slave" || of["master-link-status"] != "ok" || of["role-reported"] != "slave" {
		return fmt.Sprintf("a replica that is well at %s, which says %v", s.Addr, of)
	}
	return ""
}

// pairs parses the output of redis-cli for a map: alternating names and values.
func pairs(text string) map[string]string {
	lines, all := strings.Split(text, "\n"), map[string]string{}
	for i := 0; i+1 < len(lines); i += 2 {
		all[lines[i]] = lines[i+1]
	}
	return all
}

// Master returns the server that all responding Sentinels report as the master.
func (s *Sentinel) Master() *Server {
	s.t.Helper()
	var master *Server
	until(s.t, func() (missing string) {
		master, missing = s.master()
		return missing
	})
	return master
}

func (s *Sentinel) master() (master *Server, missing string) {
	known := ""
	for _, sentinel := range s.Sentinels {
		if sentinel.idle {
			continue
		}
		answer, err := sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)
		if err != nil {
			continue // it was killed
		}
		if known != "" && answer != known {
			return nil, "the Sentinels agree on the master"
		}
		known = answer
	}
	host, port, _ := strings.Cut(known, "\n")
	for _, server := range s.Servers {
		if server.Addr == net.JoinHostPort(host, port) {
			return server, ""
		}
	}
	return nil, fmt.Sprintf("the master is %q", known)
}

// DownAfter sets, at the responding Sentinels, how long the master must not answer
// until it is considered down.
func (s *Sentinel) DownAfter(d time.Duration) {
	for _, sentinel := range s.Sentinels {
		if !sentinel.idle {
			_, _ = sentinel.ask("SENTINEL", "SET", masterName, "down-after-milliseconds", strconv.FormatInt(d.Milliseconds(), 10))
		}
	}
}

// Failover makes the Sentinels replace a healthy master.
func (s *Sentinel) Failover() {
	s.t.Helper()
	s.Sentinels[0].do("SENTINEL", "FAILOVER", masterName)
}

// Other waits until another server than that one is the master, and returns it.
func (s *Sentinel) Other(than *Server) *Server {
	s.t.Helper()
	var master *Server
	until(s.t, func() (missing string) {
		if master, missing = s.master(); missing == "" && master == than {
			missing = "another master than " + than.Addr
		}
		return missing
	})
	return master
}
