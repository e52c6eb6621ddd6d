package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// fieldManager is who has set the fields of what the runner applies.
const fieldManager = "webhooks"

// Limits of calls of the API.
const (
	callLimit  = 30 * time.Second // for one try
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	maxAnswer  = 64 << 20 // bytes
	// lastRefusal is for how long an API server that refuses /readyz too may be one that
	// has not read the roles yet.
	lastRefusal = time.Minute
	// logAfter is for how long a call must have failed to be logged.
	logAfter = time.Minute
)

// kind is a kind of objects: the path of all that there are.
type kind string

// The kinds of objects that the runner uses.
const (
	namespaces  kind = "/api/v1/namespaces"
	pods        kind = "/api/v1/pods"
	secrets     kind = "/api/v1/secrets"
	services    kind = "/api/v1/services"
	claims      kind = "/api/v1/persistentvolumeclaims"
	deployments kind = "/apis/apps/v1/deployments"
	budgets     kind = "/apis/policy/v1/poddisruptionbudgets"

	networkPolicies kind = "/apis/networking.k8s.io/v1/networkpolicies"
	ingresses       kind = "/apis/networking.k8s.io/v1/ingresses"
	httpRoutes      kind = "/apis/gateway.networking.k8s.io/v1/httproutes"
	podMetrics      kind = "/apis/metrics.k8s.io/v1beta1/pods"
)

// path returns the path of an object, or of all of a kind in a namespace. Without a
// namespace, it is that of all namespaces, or of what is in none.
func (k kind) path(namespace, name string) string {
	group, plural := path.Split(string(k))
	at := group
	if namespace != "" && k != namespaces {
		at += "namespaces/" + url.PathEscape(namespace) + "/"
	}
	at += plural
	if name != "" {
		at += "/" + url.PathEscape(name)
	}
	return at
}

// name returns the plural name of the kind.
func (k kind) name() string { return path.Base(string(k)) }

// client speaks to the API of a cluster, with the credentials of a kubeconfig or a
// service account. It sends JSON: the generated clients of client-go would bring all
// kinds of objects there are into the program.
type client struct {
	http *http.Client
	base string
	log  *slog.Logger

	lastRefusal time.Duration
}

// connect returns a client for the current context of a kubeconfig; if that is "",
// for the cluster that the program runs in. It makes no request.
func connect(kubeconfig string, log *slog.Logger) (*client, error) {
	var config *rest.Config
	var err error
	if kubeconfig == "" {
		config, err = rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			err = errors.New("not in a cluster: name a kubeconfig by --kubeconfig")
		}
	} else {
		rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}
		config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("kubernetes: reading the configuration: %w", err)
	}
	config.UserAgent = "webhooks"
	over, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: reading the configuration: %w", err)
	}
	base := strings.TrimSuffix(config.Host, "/")
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	return &client{http: over, base: base, log: log, lastRefusal: lastRefusal}, nil
}

// statusError is a refusal of the API.
type statusError struct {
	metav1.Status
}

// Error implements error.
func (e *statusError) Error() string {
	return cmp.Or(e.Message, string(e.Reason), http.StatusText(int(e.Code)))
}

func hasCode(err error, code int) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && int(e.Code) == code
}

func notFound(err error) bool { return hasCode(err, http.StatusNotFound) }

// passing reports whether a call may succeed if it is made again.
func passing(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	if !ok {
		return true // the connection
	}
	return e.Code == http.StatusTooManyRequests || e.Code >= http.StatusInternalServerError
}

// request is a call of the API.
type request struct {
	method, path string
	query        url.Values
	kind         string // of the body
	body         any    // encoded as JSON; nil for none
}

// call makes a call and decodes its answer into out, unless that is nil. If the API
// is not reachable, or busy, it tries again until ctx ends, which is logged once.
//
// An API server that starts answers before it has read all roles and accounts, and
// then refuses what is allowed. A refusal counts only if the server was ready before, or
// if it has lasted.
func (c *client) call(ctx context.Context, r request, out any) error {
	pause := firstRetry
	ready, logged := false, false
	begin := time.Now()
	var refusedSince time.Time
	for {
		err := c.try(ctx, r, out)
		if err == nil || !passing(err) && (ready || !refusal(err)) {
			return err
		}
		if !logged && time.Since(begin) >= logAfter {
			logged = true
			c.log.WarnContext(ctx, "call of the cluster's API fails and is tried again", "method", r.method, "path", r.path, "error", err)
		}
		if refusal(err) {
			if refusedSince.IsZero() {
				refusedSince = time.Now()
			}
			if ready = c.ready(ctx, time.Since(refusedSince) >= c.lastRefusal); ready {
				continue
			}
		} else {
			refusedSince = time.Time{}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		pause = min(2*pause, lastRetry)
	}
}

// refusal reports whether an error is that a call is not allowed.
func refusal(err error) bool {
	return hasCode(err, http.StatusForbidden) || hasCode(err, http.StatusUnauthorized)
}

// ready reports whether the API server is ready. A role that each cluster has lets
// all read its path /readyz, so that it refuses that too until it has read the
// roles; lasting reports that it has refused calls for so long that the role must be
// missing. A proxy that does not pass the path on counts as ready.
func (c *client) ready(ctx context.Context, lasting bool) bool {
	err := c.try(ctx, request{method: http.MethodGet, path: "/readyz"}, nil)
	return err == nil || !passing(err) && (lasting || !refusal(err))
}

// try makes a call once.
func (c *client) try(ctx context.Context, r request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	body, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // only read
	if out == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(body, maxAnswer)) // the connection can be used again then
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", r.method, r.path, err)
	}
	return nil
}

// open makes a call once and returns the body of its answer, which the caller closes.
func (c *client) open(ctx context.Context, r request) (io.ReadCloser, error) {
	var body io.Reader = http.NoBody
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	at := c.base + r.path
	if len(r.query) > 0 {
		at += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, at, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, */*")
	if r.body != nil {
		req.Header.Set("Content-Type", cmp.Or(r.kind, "application/json"))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close() // only read
	refusal := &statusError{}
	if json.Unmarshal(text, &refusal.Status) != nil || refusal.Message == "" {
		refusal.Message = fmt.Sprintf("%s %s was answered by %s", r.method, r.path, resp.Status)
	}
	refusal.Code = int32(resp.StatusCode) //nolint:gosec // a status
	return nil, refusal
}

// apply creates an object or sets its fields. The fields that others have set are
// kept.
func (c *client) apply(ctx context.Context, k kind, namespace, name string, object any) error {
	query := url.Values{"fieldManager": {fieldManager}, "force": {"true"}}
	err := c.call(ctx, request{http.MethodPatch, k.path(namespace, name), query, "application/apply-patch+yaml", object}, nil)
	if err != nil {
		return fmt.Errorf("applying %s/%s: %w", k.name(), name, err)
	}
	return nil
}

func (c *client) create(ctx context.Context, k kind, namespace string, object any) error {
	query := url.Values{"fieldManager": {fieldManager}}
	if err := c.call(ctx, request{http.MethodPost, k.path(namespace, ""), query, "", object}, nil); err != nil {
		return fmt.Errorf("creating %s: %w", k.name(), err)
	}
	return nil
}

func (c *client) get(ctx context.Context, k kind, namespace, name string, out any) error {
	if err := c.call(ctx, request{method: http.MethodGet, path: k.path(namespace, name)}, out); err != nil {
		return fmt.Errorf("reading %s/%s: %w", k.name(), name, err)
	}
	return nil
}

func (c *client) list(ctx context.Context, k kind, namespace, selector string, out any) error {
	query := url.Values{"labelSelector": {selector}}
	if err := c.call(ctx, request{method: http.MethodGet, path: k.path(namespace, ""), query: query}, out); err != nil {
		return fmt.Errorf("listing %s: %w", k.name(), err)
	}
	return nil
}

// remove deletes an object, with what depends on it; one that does not exist is not
// an error.
func (c *client) remove(ctx context.Context, k kind, namespace, name string) error {
	err := c.call(ctx, request{http.MethodDelete, k.path(namespace, name), nil, "", background()}, nil)
	if err != nil && !notFound(err) {
		return fmt.Errorf("deleting %s/%s: %w", k.name(), name, err)
	}
	return nil
}

// removeAll deletes all objects of a kind that a selector matches.
func (c *client) removeAll(ctx context.Context, k kind, namespace, selector string) error {
	query := url.Values{"labelSelector": {selector}}
	err := c.call(ctx, request{http.MethodDelete, k.path(namespace, ""), query, "", background()}, nil)
	if err != nil && !notFound(err) {
		return fmt.Errorf("deleting %s: %w", k.name(), err)
	}
	return nil
}

func background() metav1.DeleteOptions {
	policy := metav1.DeletePropagationBackground
	return metav1.DeleteOptions{
		TypeMeta:          metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
		PropagationPolicy: &policy,
	}
}
