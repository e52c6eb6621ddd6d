package cluster_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// patience is how long something may take that must happen. Only what hangs
// takes so long, however busy the machine is.
const patience = 10 * time.Minute

// kubectl runs kubectl as the administrator and returns what it prints.
func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := shared.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// showNamespace logs the pods of a namespace, with their events and last lines.
func showNamespace(t *testing.T, namespace string) {
	t.Helper()
	for _, args := range [][]string{{"get", "pods", "-o", "wide"}, {"get", "events"}, {"logs", "--prefix", "--all-containers", "--tail=40", "-l", "app.kubernetes.io/part-of=webhooks"}} {
		out, err := shared.Kubectl(context.WithoutCancel(t.Context()), "", append(args, "-n", namespace)...)
		t.Logf("kubectl %v: %v\n%s", args, err, out)
	}
}

// A pod of the base image starts, is reached from this machine, and its log is read.
func TestPod(t *testing.T) {
	t.Parallel()
	kubectl(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: hello}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: hello
    image: %s
    command: [node, -e, "require('http').createServer((q, r) => r.end('hello')).listen(8080, () => console.log('listening'))"]
    readinessProbe: {tcpSocket: {port: 8080}}
`, shared.Base), "apply", "-f", "-")
	kubectl(t, "", "wait", "--for=condition=Ready", "pod/hello", "--timeout="+patience.String())
	address := kubectl(t, "", "get", "pod", "hello", "-o", "jsonpath={.status.podIP}")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+":8080/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Body.Close(); err != nil || got.StatusCode != http.StatusOK {
		t.Errorf("got %s, %v", got.Status, err)
	}
	await(t, "its log", func() bool { return kubectl(t, "", "logs", "hello") == "listening" })
	kubectl(t, "", "delete", "pod", "hello")
}
