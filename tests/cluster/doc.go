// Package cluster runs a real Kubernetes cluster of one node for tests: etcd, the
// programs of the control plane, containerd and the kubelet, with a registry in this
// process. The tests of this package run the program on it.
//
// Everything of a cluster is in one temporary folder, in mount and process
// namespaces of its own, and on a network bridge of its own, so that several
// clusters run beside each other and nothing is left at the end.
package cluster
