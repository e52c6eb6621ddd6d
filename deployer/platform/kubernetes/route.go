package kubernetes

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// hosts returns the hosts of an app.
func hosts(o Options, v runner.Version) []string {
	return append([]string{v.Subdomain + "." + o.Domain}, v.Domains...)
}

// httpRoute returns the route of the Gateway API to the app's Service. Its types come
// with no module of Kubernetes itself.
func (p place) httpRoute(o Options, v runner.Version) map[string]any {
	namespace, name, _ := strings.Cut(o.Gateway, "/")
	meta := p.meta(p.prefix, labelComponent, web)
	return map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"name": meta.Name, "namespace": meta.Namespace, "labels": meta.Labels},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"namespace": namespace, "name": name}},
			"hostnames":  hosts(o, v),
			"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": p.prefix, "port": servicePort}}}},
		},
	}
}

// ingress returns the Ingress of the app's Service.
func (p place) ingress(o Options, v runner.Version) *networkingv1.Ingress {
	in := &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
		ObjectMeta: p.meta(p.prefix, labelComponent, web),
		Spec:       networkingv1.IngressSpec{IngressClassName: &o.IngressClass},
	}
	for _, host := range hosts(o, v) {
		in.Spec.Rules = append(in.Spec.Rules, networkingv1.IngressRule{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: new(networkingv1.PathTypePrefix),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: p.prefix, Port: networkingv1.ServiceBackendPort{Name: portName},
				}},
			}}}},
		})
	}
	return in
}

// ownNamespace returns the namespace of the pod that the platform runs in; "" if it
// runs in none.
func ownNamespace() string {
	text, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// metadata are the addresses at which clouds have the credentials of a machine.
var metadata = map[string]string{"0.0.0.0/0": "169.254.169.254/32", "::/0": "fd00:ec2::254/128"} //nolint:gochecknoglobals // a constant

// policy returns the NetworkPolicy of the app's pods.
func (p place) policy(namespaces []string) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: p.meta(p.prefix),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{labelInstance: p.prefix}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}
	var from []networkingv1.NetworkPolicyPeer
	for _, name := range namespaces {
		from = append(from, networkingv1.NetworkPolicyPeer{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": name}},
		})
	}
	if len(from) > 0 {
		http := intstr.FromInt32(port)
		np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: from, Ports: []networkingv1.NetworkPolicyPort{{Port: &http}}}}
	}
	var to []networkingv1.NetworkPolicyPeer
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		to = append(to, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: all, Except: []string{metadata[all]}}})
	}
	np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: to}}
	return np
}

// protect applies the NetworkPolicy of the app, if there is to be one.
func (a *application) protect(ctx context.Context) error {
	o := a.runner.o
	if len(o.ReachedFrom) == 0 {
		return nil
	}
	allowed := slices.Clone(o.ReachedFrom)
	if own := ownNamespace(); own != "" && !slices.Contains(allowed, own) {
		allowed = append(allowed, own)
	}
	return a.runner.api.apply(ctx, networkPolicies, a.namespace, a.prefix, a.policy(allowed))
}

// route applies the route to the app's Service, if there is to be one.
func (a *application) route(ctx context.Context, v runner.Version) error {
	o, api := a.runner.o, a.runner.api
	switch {
	case o.Gateway != "":
		return api.apply(ctx, httpRoutes, a.namespace, a.prefix, a.httpRoute(o, v))
	case o.IngressClass != "":
		return api.apply(ctx, ingresses, a.namespace, a.prefix, a.ingress(o, v))
	}
	return nil
}

// unroute removes the route and the NetworkPolicy.
func (a *application) unroute(ctx context.Context) (err error) {
	o, api := a.runner.o, a.runner.api
	switch {
	case o.Gateway != "":
		err = api.remove(ctx, httpRoutes, a.namespace, a.prefix)
	case o.IngressClass != "":
		err = api.remove(ctx, ingresses, a.namespace, a.prefix)
	}
	if len(o.ReachedFrom) > 0 {
		err = errors.Join(err, api.remove(ctx, networkPolicies, a.namespace, a.prefix))
	}
	return err
}
