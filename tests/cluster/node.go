package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// tasks is the folder of containerd with one folder for each container.
const tasks = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"

// nodeScript is the first process of the node's namespaces; if it ends, all of
// them end, and the file systems are gone with them. Containers, images, logs and
// the folders that cannot be chosen are in memory.
const nodeScript = `set -e
mount --make-rprivate /
mount -t proc proc /proc
for dir in /run /var/lib /var/log; do mount -t tmpfs tmpfs $dir; done
containerd --config containerd.toml >>containerd.log 2>&1 &
while ! [ -S /run/containerd/containerd.sock ]; do
	kill -0 $!
	sleep 0.1
done
"$0" kubelet --config kubelet.yaml --kubeconfig kubeconfig --hostname-override "$1" --node-ip "$2" >>kubelet.log 2>&1
`

// startNode starts containerd and the kubelet.
func (c *Cluster) startNode(ctx context.Context) error {
	containerd := fmt.Sprintf(`version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = %q
# Setting the score of a container needs a privilege that this machine may not have.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".registry.mirrors.%q]
endpoint = [%q]
`, c.pause(), filepath.Join(c.dir, "cni"), c.Registry, "http://"+c.Registry)
	cni := fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "test", "plugins": [{
		"type": "bridge", "bridge": %q, "isGateway": false, "ipMasq": false,
		"ipam": {"type": "host-local", "ranges": [[{"subnet": %q, "gateway": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}`,
		c.net.bridge, c.net.pods, c.net.host)
	kubelet := fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
port: %[2]d
healthzBindAddress: %[1]s
healthzPort: %[3]d
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
evictionHard: {memory.available: 1Mi}
imageGCHighThresholdPercent: 100
maxPods: 200
registryPullQPS: 0
resolvConf: ""
clusterDomain: cluster.local
clusterDNS: [%[1]s]
`, c.net.host, kubeletPort, healthPort)
	err := errors.Join(os.Mkdir(filepath.Join(c.dir, "cni"), 0o700),
		os.WriteFile(filepath.Join(c.dir, "cni", "test.conflist"), []byte(cni), 0o600),
		os.WriteFile(filepath.Join(c.dir, "containerd.toml"), []byte(containerd), 0o600),
		os.WriteFile(filepath.Join(c.dir, "kubelet.yaml"), []byte(kubelet), 0o600))
	if err != nil {
		return err
	}
	if c.settings, err = kernelSettings(); err != nil {
		return err
	}
	c.node, err = c.run(ctx, node, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	}, "sh", "-c", nodeScript, c.kube, node, c.net.host.String())
	return err
}

// stopNode ends all processes of the node, with its containers, and removes their
// control groups.
func (c *Cluster) stopNode() error {
	if c.node == nil {
		return nil
	}
	containers, err := containersOf(c.node.cmd.Process.Pid)
	c.node.kill() // returns when no process of its namespace is left
	c.node = nil
	return errors.Join(err, restore(c.settings), removeGroups(containers))
}

// containersOf returns the ids of the containers of the node that a process belongs to;
// none if it belongs to none.
func containersOf(pid int) (ids []string, err error) {
	containers, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "root", tasks))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it has ended, or has run no container
	}
	for _, container := range containers {
		ids = append(ids, container.Name())
	}
	return ids, err
}

// removeGroups removes the control groups of containers that have ended.
func removeGroups(containers []string) error {
	var errs []error
	for _, group := range groups() {
		for _, id := range containers {
			errs = append(errs, removeGroup(filepath.Join(group, id)))
		}
		_ = os.Remove(group) // unless another cluster has groups in it
	}
	return errors.Join(errs...)
}

// groups returns the control groups that those of containers are in: one, or one for
// each controller in version 1.
func groups() []string {
	all, _ := filepath.Glob("/sys/fs/cgroup/*/k8s.io") // the pattern is valid
	if _, err := os.Stat("/sys/fs/cgroup/k8s.io"); err == nil {
		all = append(all, "/sys/fs/cgroup/k8s.io")
	}
	return all
}

// Kill kills all processes of a container, which has the id as a pod's status has it.
func (c *Cluster) Kill(container string) error {
	_, id, _ := strings.Cut(container, "://")
	killed := map[int]bool{}
	for _, group := range groups() {
		text, err := os.ReadFile(filepath.Join(group, id, "cgroup.procs")) //nolint:gosec // of the kernel
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return err
			}
			if !killed[pid] && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed[pid] = true
			}
		}
	}
	if len(killed) == 0 {
		return fmt.Errorf("container %q has no processes", container)
	}
	return nil
}

// removeGroup removes a control group with those in it.
func removeGroup(dir string) error {
	inner, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, entry := range inner {
		if entry.IsDir() {
			errs = append(errs, removeGroup(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(append(errs, os.Remove(dir))...)
}

// kernelSettings returns the settings of the kernel that the kubelet changes, by
// their paths.
func kernelSettings() (map[string]string, error) {
	found := map[string]string{}
	for _, path := range []string{
		"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/panic_on_oom", "/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops",
		"/proc/sys/kernel/keys/root_maxkeys", "/proc/sys/kernel/keys/root_maxbytes",
	} {
		text, err := os.ReadFile(path) //nolint:gosec // one of the paths above
		if err != nil {
			return nil, err
		}
		found[path] = strings.TrimSpace(string(text))
	}
	return found, nil
}

// restore sets the settings of the kernel.
func restore(settings map[string]string) error {
	var errs []error
	for path, value := range settings {
		errs = append(errs, os.WriteFile(path, []byte(value), 0o600))
	}
	return errors.Join(errs...)
}
