package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// checkSystem checks what keeps apps apart.
func checkSystem(_ context.Context, o Options) []Finding {
	if o.Config.PlatformURL != "" {
		return nil
	}
	if runtime.GOOS != "linux" {
		return []Finding{failed("system", "the embedded platform needs Linux", "set --platform-url to use a platform elsewhere")}
	}
	var found []Finding
	switch {
	case os.Getuid() != 0:
		found = append(found, warning("user", "not root: all apps run as the user of the server", "run the server as root (for example by systemd) if you do not trust the apps"))
	case checkRoot() != nil:
		found = append(found, failed("user", checkRoot().Error(), "see 'In a container' of docs/operating.md"))
	default:
		found = append(found, ok("user", "root: each app runs as a user of its own"))
	}
	controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	switch {
	case err != nil:
		found = append(found, warning("control groups", "there is no control group hierarchy of version 2", "boot with systemd.unified_cgroup_hierarchy=1; without it, the memory of drones is read to limit it, at least once a second, and processors are not limited"))
	case !strings.Contains(string(controllers), "memory"):
		found = append(found, warning("control groups", "the memory controller is missing", "enable it for the server's group, by Delegate=yes in its systemd unit; without it, the memory of drones is read to limit it, at least once a second, and processors are not limited"))
	default:
		found = append(found, ok("control groups", "version 2, with "+strings.TrimSpace(string(controllers))))
	}
	return found
}

// checkNode checks the programs that builds use.
func checkNode(ctx context.Context, o Options) []Finding {
	if o.Config.PlatformURL != "" {
		return nil
	}
	var found []Finding
	for program, need := range map[string]string{"node": "runs the apps", "npm": "installs their dependencies"} {
		version, err := exec.CommandContext(ctx, program, "--version").Output() //nolint:gosec // one of two
		if err != nil {
			found = append(found, failed(program, program+" can't be run; it "+need, "install Node.js of a version that is still maintained"))
			continue
		}
		found = append(found, ok(program, strings.TrimSpace(string(version))))
	}
	if found[0].Check == "npm" { // the order of a map is random
		found[0], found[1] = found[1], found[0]
	}
	return found
}

// checkData checks the data folder and its disk.
func checkData(_ context.Context, o Options) []Finding {
	dir := o.Config.Data
	for { // the folder is created at the first start
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	probe, err := os.CreateTemp(dir, ".doctor.*")
	if err != nil {
		return []Finding{failed("data folder", fmt.Sprintf("%s can't be written: %v", dir, err), "set --data to a folder that the server can write, or run it as its owner")}
	}
	err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	if err != nil {
		return []Finding{failed("data folder", err.Error(), "check the file system")}
	}
	free, total, known := space(dir)
	switch {
	case !known:
		return []Finding{ok("data folder", o.Config.Data+" can be written")}
	case free < 200<<20:
		return []Finding{failed("disk", fmt.Sprintf("%d MiB are free at %s", free>>20, dir), "free some space: deliveries are refused while the disk is full")}
	case free < 2<<30:
		return []Finding{warning("disk", fmt.Sprintf("%d MiB are free at %s", free>>20, dir), "free some space: a build may need a gigabyte")}
	}
	return []Finding{ok("disk", fmt.Sprintf("%s can be written; %d of %d GiB are free", o.Config.Data, free>>30, total>>30))}
}

// checkBudget checks how much of the disk budget is used.
func checkBudget(ctx context.Context, o Options) []Finding {
	const name = "disk budget"
	if o.Config.PlatformURL != "" || o.Config.DiskBudget == 0 || runtime.GOOS != "linux" {
		return nil
	}
	used, nearly, err := diskUsed(ctx, o.Config)
	if err != nil {
		return []Finding{warning(name, fmt.Sprintf("not measured: %v", err), "run this as the user of the server; webhooks_disk_used_bytes of its metrics has what it measured itself")}
	}
	budget := int64(o.Config.DiskBudget) << 20
	text := fmt.Sprintf("snapshots, builds and caches use %d of %d MiB", used>>20, budget>>20)
	free, _, known := space(o.Config.Data)
	switch {
	case nearly:
		return []Finding{warning(name, text, "the server removes build caches and old snapshots; if they do not suffice, raise --disk-budget, lower --keep-snapshots, or remove apps that are not used")}
	case known && budget-used > int64(free): //nolint:gosec // a size
		return []Finding{warning(name, fmt.Sprintf("%s, but only %d MiB are free on the disk", text, free>>20), "free some space, or lower --disk-budget")}
	}
	return []Finding{ok(name, text)}
}

// checkPorts checks whether the server could listen on its addresses. If it runs,
// it has them already.
func checkPorts(ctx context.Context, o Options) []Finding {
	c := o.Config
	if _, err := os.Stat(c.PlatformURLFile()); err == nil {
		return []Finding{ok("ports", "a server is running on the data folder "+c.Data)}
	}
	settings := [][2]string{{"listen", c.Listen}, {"redirect-listen", c.RedirectListen}}
	if c.PlatformURL == "" {
		settings = append(settings, [2]string{"platform-listen", c.PlatformListen})
		if !c.SharesListener() {
			settings = append(settings, [2]string{"apps-listen", c.AppsListen})
		}
	}
	var found []Finding
	for _, s := range settings {
		if s[1] == "" {
			continue
		}
		name, addr := "port "+s[1], s[1]
		var listen net.ListenConfig
		l, err := listen.Listen(ctx, "tcp", addr)
		switch {
		case err == nil:
			_ = l.Close() // nothing was accepted
			found = append(found, ok(name, "is free for --"+s[0]))
		case errors.Is(err, syscall.EADDRINUSE):
			found = append(found, failed(name, "another program listens on it", "if it is the server that you check, set --data to its data folder; otherwise end that program, or set --"+s[0]+" to another address"))
		case errors.Is(err, syscall.EACCES):
			found = append(found, failed(name, "a port below 1024 needs root", "run the server as root, give it the capability CAP_NET_BIND_SERVICE, or set --"+s[0]))
		default:
			found = append(found, failed(name, err.Error(), "set --"+s[0]+" to an address of this machine"))
		}
	}
	return found
}

// publicHosts returns the hosts that people use; none on a development machine.
func publicHosts(c config.Config) (hosts []string) {
	for _, host := range c.ReservedHosts() {
		if host != "localhost" && net.ParseIP(host) == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
