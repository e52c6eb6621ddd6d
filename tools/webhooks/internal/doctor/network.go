package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// tolerated is the difference from other clocks that does no harm.
const tolerated = time.Minute

// checkForge checks that the forge can be reached, and the clock by its answer.
func checkForge(ctx context.Context, o Options) []Finding {
	address := cmp.Or(o.Config.GitHubURL, "https://api.github.com/")
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, http.NoBody)
	if err != nil {
		return []Finding{failed("github", err.Error(), "correct --github-url")}
	}
	resp, err := o.Client.Do(req)
	if err != nil {
		return []Finding{failed("github", err.Error(), "let this machine connect to "+address+": code is fetched from there (set HTTPS_PROXY if there is a proxy)")}
	}
	_ = resp.Body.Close() // a response to HEAD has none
	found := []Finding{ok("github", address+" answers")}
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return found
	}
	if off := o.Now().Sub(theirs); off.Abs() > tolerated {
		return append(found, failed("clock", fmt.Sprintf("the clock differs from that of %s by %s", req.URL.Host, off.Round(time.Second)), "synchronize it, for example by `timedatectl set-ntp true`"))
	}
	return append(found, ok("clock", "agrees with that of "+req.URL.Host))
}

// checkDNS checks that the public names lead somewhere.
func checkDNS(ctx context.Context, o Options) []Finding {
	hosts := publicHosts(o.Config)
	if domain := o.Config.AppsDomain; domain != "localhost" && o.Config.PlatformURL == "" {
		hosts = append(hosts, "any-app."+domain)
	}
	slices.Sort(hosts)
	var found []Finding
	for _, host := range slices.Compact(hosts) {
		addrs, err := o.Resolver.LookupHost(ctx, host)
		if err != nil {
			record := host
			if rest, below := strings.CutPrefix(host, "any-app."); below {
				record = "*." + rest
			}
			do := "add a DNS record (A, AAAA or CNAME) for " + record + " that points to this machine"
			if failure, ok := errors.AsType[*net.DNSError](err); !ok || !failure.IsNotFound {
				do = "let this machine reach a name server; then " + do
			}
			found = append(found, failed("dns "+host, reason(err), do))
			continue
		}
		found = append(found, ok("dns "+host, strings.Join(addrs, ", ")))
	}
	return found
}

func reason(err error) string {
	if failure, ok := errors.AsType[*net.DNSError](err); ok {
		return failure.Err
	}
	return err.Error()
}

// soon is when a certificate should have been renewed.
const soon = 14 * 24 * time.Hour

// checkCertificate checks the certificate of the files. One by ACME is ordered by
// the server itself.
func checkCertificate(_ context.Context, o Options) []Finding {
	if o.Config.TLSCert == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(o.Config.TLSCert, o.Config.TLSKey)
	if err != nil {
		return []Finding{failed("certificate", err.Error(), "correct --tls-cert and --tls-key")}
	}
	left := pair.Leaf.NotAfter.Sub(o.Now())
	for _, host := range publicHosts(o.Config) {
		if err := pair.Leaf.VerifyHostname(host); err != nil {
			return []Finding{failed("certificate", err.Error(), "get a certificate for "+host)}
		}
	}
	switch text := "valid until " + pair.Leaf.NotAfter.Format(time.DateOnly); {
	case left <= 0:
		return []Finding{failed("certificate", "expired on "+pair.Leaf.NotAfter.Format(time.DateOnly), "renew it")}
	case left < soon:
		return []Finding{warning("certificate", text, "renew it")}
	default:
		return []Finding{ok("certificate", text)}
	}
}
