package cluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
)

// The programs of the control plane, by the names of their logs.
const (
	etcd        = "etcd"
	apiServer   = "kube-apiserver"
	controllers = "kube-controller-manager"
	scheduler   = "kube-scheduler"
)

// startControl starts the control plane and returns when the API is ready.
func (c *Cluster) startControl(ctx context.Context) error {
	clients, peers := "http://"+c.net.at(etcdPort), "http://"+c.net.at(etcdPeersPort)
	if err := c.start(ctx, etcd, etcd, "--data-dir", filepath.Join(c.dir, etcd), "--unsafe-no-fsync",
		"--listen-client-urls", clients, "--advertise-client-urls", clients,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers); err != nil {
		return err
	}
	err := c.wait(ctx, "etcd to listen", func() error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.net.at(etcdPort))
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		return err
	}
	if err := c.StartAPI(ctx); err != nil {
		return err
	}
	// Their elections and servers are for clusters with several of them.
	flags := []string{"--kubeconfig", c.Kubeconfig, "--leader-elect=false", "--secure-port=0"}
	err = c.start(ctx, controllers, append([]string{c.kube, controllers}, append(flags,
		// Addresses of pods are given by the bridge.
		"--controllers=*,-nodeipam",
		"--service-account-private-key-file", c.keys.accountPrivate, "--root-ca-file", c.keys.authorityFile,
		// A busy machine is not a lost node.
		"--node-monitor-grace-period=1h")...)...)
	if err != nil {
		return err
	}
	return c.start(ctx, scheduler, append([]string{c.kube, scheduler}, flags...)...)
}

// StartAPI starts the API server and returns when it is ready.
func (c *Cluster) StartAPI(ctx context.Context) error {
	err := c.start(ctx, apiServer, c.kube, apiServer,
		"--etcd-servers", "http://"+c.net.at(etcdPort),
		"--bind-address", c.net.host.String(), "--secure-port", fmt.Sprint(apiPort),
		"--advertise-address", c.net.host.String(), "--endpoint-reconciler-type=none",
		"--service-cluster-ip-range", c.net.services.String(),
		"--tls-cert-file", c.keys.certificate, "--tls-private-key-file", c.keys.key,
		"--token-auth-file", filepath.Join(c.dir, "tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file", c.keys.accountPub, "--service-account-signing-key-file", c.keys.accountPrivate,
		"--allow-privileged", "--kubelet-preferred-address-types=InternalIP")
	if err != nil {
		return err
	}
	return c.wait(ctx, "the API to be ready", func() error { return c.get(ctx, "/readyz", nil) })
}

// StopAPI ends the API server. The pods go on.
func (c *Cluster) StopAPI() {
	c.control[apiServer].kill()
	delete(c.control, apiServer)
	c.client.CloseIdleConnections()
}

// start starts a program of the control plane.
func (c *Cluster) start(ctx context.Context, name string, command ...string) error {
	p, err := c.run(ctx, name, nil, command...)
	if err != nil {
		return err
	}
	c.control[name] = p
	return nil
}
