package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// The checks of a value return what is wrong with it, as in "invalid address:
// want host:port". A message does not repeat a URL: it may hold a credential.

func notEmpty(text string) error {
	if text == "" {
		return errors.New("must not be empty")
	}
	return nil
}

// optional passes an empty text, and checks any other.
func optional(check func(string) error) func(string) error {
	return func(text string) error {
		if text == "" {
			return nil
		}
		return check(text)
	}
}

func address(text string) error {
	if _, _, err := net.SplitHostPort(text); err != nil {
		return fmt.Errorf("invalid address %q: want host:port or :port", text)
	}
	return nil
}

// loopback passes an address that only this machine reaches.
func loopback(text string) error {
	if err := address(text); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(text) // address has checked it
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("invalid address %q: want one of this machine alone, such as 127.0.0.1:6060", text)
	}
	return nil
}

func httpURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("invalid URL: want http(s)://host[/path]")
	case u.User != nil:
		return errors.New("the URL must not contain credentials")
	}
	return nil
}

// forge checks a kind of forge with its URL, which two of them have by default.
func forge(text string) error {
	kind, address, found := strings.Cut(text, "=")
	switch kind {
	case "gitlab", "bitbucket":
		if !found {
			return nil
		}
	case "gitea", "forgejo", "gogs", "bitbucket-dc":
	default:
		return fmt.Errorf("invalid forge %q: want gitlab, bitbucket, gitlab=URL, gitea=URL, forgejo=URL, gogs=URL or bitbucket-dc=URL", text)
	}
	return httpURL(address)
}

func hostName(text string) error {
	if u, err := url.Parse("http://" + text); err != nil || u.Hostname() != text || u.Host != text {
		return fmt.Errorf("invalid host name %q: want it as in a URL, without a port", text)
	}
	return nil
}

func dnsLabel(text string) error {
	if len(text) > 63 || !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(text) {
		return errors.New("want lower-case letters, digits and '-', at most 63")
	}
	return nil
}

func gateway(text string) error {
	namespace, name, found := strings.Cut(text, "/")
	if !found || dnsLabel(namespace) != nil || dnsLabel(name) != nil {
		return fmt.Errorf("invalid Gateway %q: want NAMESPACE/NAME", text)
	}
	return nil
}

func network(text string) error {
	_, err := serve.ParseProxies([]string{text})
	return err
}

func mailbox(text string) error {
	if _, err := mail.ParseAddress(text); err != nil {
		return fmt.Errorf("invalid sender %q: want the form \"Webhooks <webhooks@example.com>\"", text)
	}
	return nil
}

func keyPrefix(text string) error {
	if text == "" || strings.ContainsAny(text, "{} ") {
		return fmt.Errorf("invalid prefix %q: want a word without spaces and braces", text)
	}
	return nil
}

func oneOf(words ...string) func(string) error {
	return func(text string) error {
		if !slices.Contains(words, text) {
			return fmt.Errorf("invalid value %q: want %s", text, strings.Join(words, ", "))
		}
		return nil
	}
}

func atLeast(least int) func(int) error {
	return func(n int) error {
		if n < least {
			return fmt.Errorf("must be at least %d, not %d", least, n)
		}
		return nil
	}
}

func positive(d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("must be positive, not %s", d)
	}
	return nil
}

func notNegative(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("must be 0 or more, not %s", d)
	}
	return nil
}

func between(least, most time.Duration) func(time.Duration) error {
	return func(d time.Duration) error {
		if d < least || d > most {
			return fmt.Errorf("must be between %s and %s, not %s", least, most, d)
		}
		return nil
	}
}

// leaseTime leaves time for some calls of the store, which renew a claim.
func leaseTime(d time.Duration) error {
	if d < time.Second {
		return fmt.Errorf("must be at least 1s, not %s", d)
	}
	return nil
}

// each checks every element of a list.
func each[T any](check func(T) error) func([]T) error {
	return func(all []T) error {
		for _, one := range all {
			if err := check(one); err != nil {
				return err
			}
		}
		return nil
	}
}
