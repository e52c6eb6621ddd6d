package doctor

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// Result is how a check ended.
type Result string

// The results. A warning keeps nothing from working that the settings ask for.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Failed  Result = "failed"
)

// Finding is what a check found.
type Finding struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Text   string `json:"text"`         // what was found
	Do     string `json:"do,omitempty"` // what to do; "" if the result is OK
}

// Options are what [Check] uses; Config is required.
type Options struct {
	Config config.Config
	// Store checks a store that other machines serve; nil: none is configured.
	Store func(context.Context) error

	Resolver *net.Resolver // default: net.DefaultResolver
	Client   *http.Client  // asks the forge for the time; default: one that trusts the system's authorities
	Now      func() time.Time
}

// Check makes all checks, at the same time, and returns what they found in the
// order of the list. Each ends within timeout.
func Check(ctx context.Context, o Options, timeout time.Duration) []Finding {
	o.Resolver, o.Client = cmp.Or(o.Resolver, net.DefaultResolver), cmp.Or(o.Client, &http.Client{})
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	checks := []func(context.Context, Options) []Finding{checkSystem, checkNode, checkData, checkBudget, checkPorts, checkStore, checkForge, checkDNS, checkCertificate}
	found := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() { found[i] = check(ctx, o) })
	}
	all.Wait()
	return slices.Concat(found...)
}

// Worst returns the worst result.
func Worst(all []Finding) Result {
	worst := OK
	for _, f := range all {
		if f.Result == Failed || f.Result == Warning && worst == OK {
			worst = f.Result
		}
	}
	return worst
}

func ok(check, text string) Finding          { return Finding{check, OK, text, ""} }
func warning(check, text, do string) Finding { return Finding{check, Warning, text, do} }
func failed(check, text, do string) Finding  { return Finding{check, Failed, text, do} }

// checkStore checks the Redis that several servers share.
func checkStore(ctx context.Context, o Options) []Finding {
	if o.Store == nil {
		return nil
	}
	if err := o.Store(ctx); err != nil {
		return []Finding{failed("redis", err.Error(), "start Redis, or correct --redis, the password file and --redis-tls")}
	}
	return []Finding{ok("redis", "answers")}
}
