package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Volume makes a volume for a claim, as the provisioner of a cluster does. It is a
// folder of this machine.
func (c *Cluster) Volume(ctx context.Context, name, namespace, claim string) error {
	dir := filepath.Join(c.dir, "volumes", name)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, 0o755) //nolint:gosec // as the root of a new file system
	}
	if err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s}
spec:
  capacity: {storage: 1Ti}
  accessModes: [ReadWriteOnce, ReadWriteMany]
  claimRef: {namespace: %s, name: %s}
  local: {path: %s}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]}]}}
`, name, namespace, claim, dir, node), "apply", "-f", "-")
	return err
}
