package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// patience limits waiting for what must happen. Only what hangs reaches it.
	patience = 10 * time.Minute
	// again is the time between two looks.
	again = 100 * time.Millisecond
	// node is the name of the node.
	node = "node"
	// adminToken authenticates the administrator. The API server listens on the
	// bridge only.
	adminToken = "administrator"
)

// Cluster is a running cluster. Make one with [Start].
type Cluster struct {
	Kubeconfig string // path of a file for an administrator
	API        string // URL of the API server
	Host       string // address of this machine that pods reach
	Registry   string // host:port, reached by nodes and by this machine over HTTP
	Base       string // reference of an image with Node.js and a shell

	dir      string
	kube     string // path of the programs of Kubernetes
	net      *network
	keys     *keys
	client   *http.Client
	images   *registryServer
	node     *process
	settings map[string]string // of the kernel, before the kubelet changed them
	services *services
	control  map[string]*process // by name
}

// Start starts a cluster and returns when its node is ready. It needs root.
func Start(ctx context.Context) (c *Cluster, err error) {
	if os.Getuid() != 0 {
		return nil, errors.New("a cluster needs root, for containers: run the tests as root, or leave out this package")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c = &Cluster{control: map[string]*process{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, errors.New(c.Log()), c.Stop(ctx))
			c = nil
		}
	}()
	if c.kube, err = programs(ctx); err != nil {
		return c, err
	}
	if c.dir, err = os.MkdirTemp("", "cluster-"); err != nil {
		return c, err
	}
	by, err := self(c.dir)
	if err != nil {
		return c, err
	}
	if c.net, err = newNetwork(ctx, by); err != nil {
		return c, err
	}
	if err := c.prepare(); err != nil {
		return c, err
	}
	if err := c.startControl(ctx); err != nil {
		return c, err
	}
	if c.images, err = serveRegistry(ctx, c.Registry); err != nil {
		return c, err
	}
	if err := c.pushImages(ctx); err != nil {
		return c, err
	}
	if c.services, err = c.serveServices(ctx); err != nil {
		return c, err
	}
	if err := c.startNode(ctx); err != nil {
		return c, err
	}
	return c, c.waitForNode(ctx)
}

// prepare creates the keys and what follows from the addresses.
func (c *Cluster) prepare() error {
	c.Host = c.net.host.String()
	c.API = "https://" + c.net.at(apiPort)
	c.Registry = c.net.at(registryPort)
	c.Kubeconfig = filepath.Join(c.dir, "kubeconfig")
	var err error
	if c.keys, err = newKeys(c.dir, c.net.host, c.net.api); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.keys.authority)
	c.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	return errors.Join(
		os.WriteFile(c.Kubeconfig, []byte(kubeconfig(c.API, c.keys.authority, adminToken)), 0o600),
		os.WriteFile(filepath.Join(c.dir, "tokens.csv"), []byte(adminToken+",admin,admin,system:masters\n"), 0o600),
	)
}

// waitForNode waits until pods can be scheduled and started.
func (c *Cluster) waitForNode(ctx context.Context) error {
	return c.wait(ctx, "the node to be ready", func() error {
		var found struct {
			Status struct {
				Conditions []struct{ Type, Status, Message string }
			}
		}
		if err := c.get(ctx, "/api/v1/nodes/"+node, &found); err != nil {
			return err
		}
		for _, condition := range found.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "True" {
				// The admission of pods needs the account, which a controller creates.
				return c.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
			}
		}
		return fmt.Errorf("its conditions are %v", found.Status.Conditions)
	})
}

// wait waits until there returns nil, while all programs run.
func (c *Cluster) wait(ctx context.Context, what string, there func() error) error {
	ticks := time.NewTicker(again)
	defer ticks.Stop()
	for {
		err := there()
		if err == nil {
			return nil
		}
		for _, p := range c.processes() {
			if p.ended() {
				return fmt.Errorf("%s has ended: %v", p.name, p.cmd.ProcessState)
			}
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w", what, ctx.Err(), err)
		}
	}
}

// Transport returns what trusts the API server.
func (c *Cluster) Transport() http.RoundTripper { return c.client.Transport }

// get gets an object of the API.
func (c *Cluster) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.API+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s to %s", resp.Status, path)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// Kubectl runs kubectl as the administrator and returns what it prints. stdin is
// what it reads.
func (c *Cluster) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.kube, append([]string{"kubectl"}, args...)...) //nolint:gosec // arguments of a test
	cmd.Env = append(c.environment(), "KUBECONFIG="+c.Kubeconfig)
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}

// environment returns that of all programs. The folder in it tells to which tests
// they belong.
func (c *Cluster) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + c.dir, "TMPDIR=" + c.dir}
}

// processes returns all that should run.
func (c *Cluster) processes() []*process {
	var all []*process
	for _, p := range c.control {
		all = append(all, p)
	}
	if c.node != nil {
		all = append(all, c.node)
	}
	return all
}

// Log returns the last lines of the log of each program.
func (c *Cluster) Log() string {
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(c.dir, "*.log"))
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a file of the cluster's own
		if err != nil {
			continue
		}
		lines := strings.SplitAfter(string(text), "\n")
		lines = lines[max(0, len(lines)-logLines):]
		fmt.Fprintf(&all, "--- %s\n%s", filepath.Base(file), strings.Join(lines, ""))
	}
	return all.String()
}

// logLines is how many lines of a log are shown.
const logLines = 20

// Stop ends everything of the cluster and removes it, even if ctx has
// ended.
func (c *Cluster) Stop(ctx context.Context) error {
	var errs []error
	// First, because its programs do not end while the API server is away.
	errs = append(errs, c.stopNode())
	if c.services != nil {
		errs = append(errs, c.services.close())
	}
	for name, p := range c.control {
		p.kill()
		delete(c.control, name)
	}
	if c.images != nil {
		errs = append(errs, c.images.close())
	}
	if c.net != nil {
		errs = append(errs, c.net.remove(ctx))
	}
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}
