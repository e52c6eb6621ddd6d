package cluster_test

import "testing"

// gatewayCRD makes a cluster know routes of the Gateway API.
const gatewayCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: httproutes.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "https://github.com/kubernetes-sigs/gateway-api/pull/1923"}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: HTTPRoute, plural: httproutes, singular: httproute}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// A route of the Gateway API leads to the Service of the app, and goes with it.
func TestGateway(t *testing.T) {
	t.Parallel()
	kubectl(t, gatewayCRD, "apply", "-f", "-")
	kubectl(t, "", "wait", "--for=condition=Established", "crd/httproutes.gateway.networking.k8s.io", "--timeout="+patience.String())
	o := options(t, namespace(t), toolsImage(t))
	o.Gateway, o.Domain = "gateways/public", "apps.example.com"
	r := start(t, o)
	v := version(t, "1", answers("one"))
	v.Domains = []string{"example.org"}
	run(t, r, v)
	if got := kubectl(t, "", "-n", o.Namespace, "get", "httproute", "me-app", "-o",
		"jsonpath={.spec.parentRefs[0].namespace}/{.spec.parentRefs[0].name} {.spec.hostnames[*]} {.spec.rules[0].backendRefs[0].name}:{.spec.rules[0].backendRefs[0].port}"); got != "gateways/public app.apps.example.com example.org me-app:80" {
		t.Errorf("the route is %q", got)
	}
	if err := r.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	if got := kubectl(t, "", "-n", o.Namespace, "get", "httproutes", "-o", "name"); got != "" {
		t.Errorf("without the app there is %s", got)
	}
}
