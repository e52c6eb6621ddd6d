package travis

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/outage"
	"github.com/nodejitsu/webhooks/core"
)

// DefaultURL is the API of travis-ci.com. That of travis-ci.org was shut down in
// June 2021.
const DefaultURL = "https://api.travis-ci.com"

// Options configure [Keys]. All are optional.
type Options struct {
	URL string // of the API; default [DefaultURL]
	// PrivateHosts are host names without a port that may resolve to private
	// addresses. A URL whose host is an address, or localhost, may be private
	// without it.
	PrivateHosts []string
	// Every is the shortest time between two requests to Travis CI, however
	// many signatures do not match; default one minute.
	Every  time.Duration
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: discards
}

// Keys fetches and keeps the public keys of Travis CI. It may be used
// concurrently.
type Keys struct {
	o        Options
	guard    *guard.Guard
	http     http.Client
	fetching chan struct{} // of size 1: a lock with a context

	mu      sync.Mutex // guards the fields below
	known   []core.Secret
	fetched time.Time // of the last try; zero: never
}

// New returns Keys. It sends no request yet. It fails if the URL is invalid.
func New(o Options) (*Keys, error) {
	o.URL = strings.TrimRight(cmp.Or(o.URL, DefaultURL), "/")
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("travis: invalid API URL: want http(s)://host")
	}
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	k := &Keys{o: o, guard: guard.ForURL(u, o.PrivateHosts), fetching: make(chan struct{}, 1)}
	k.http = http.Client{
		Timeout:       5 * time.Second,
		Transport:     &outage.Transport{Next: k.guard.Transport(), Log: outage.New(o.Logger, o.Now)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return k, nil
}

// Keys returns the keys. It fetches them at the first call, and again, but not
// more often than Options.Every, if missed says that a signature matches none of
// them. If that fails it returns the keys that it has, with the error.
func (k *Keys) Keys(ctx context.Context, missed bool) ([]core.Secret, error) {
	if known, ok := k.kept(missed); ok {
		return known, nil
	}
	select {
	case k.fetching <- struct{}{}:
		defer func() { <-k.fetching }()
	case <-ctx.Done():
		return nil, fmt.Errorf("travis: fetching the keys: %w", ctx.Err())
	}
	if known, ok := k.kept(missed); ok {
		return known, nil // another call fetched them
	}
	keys, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() == nil {
		k.fetched = k.o.Now()
	}
	if err != nil {
		return k.known, err
	}
	k.known = keys
	return k.known, nil
}

// kept returns the keys. ok is false if they should be fetched.
func (k *Keys) kept(missed bool) (known []core.Secret, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	recent := !k.fetched.IsZero() && k.o.Now().Sub(k.fetched) < k.o.Every
	return k.known, recent || len(k.known) > 0 && !missed
}

const maxAnswer = 1 << 20 // bytes

// fetch reads the keys from Travis CI.
func (k *Keys) fetch(ctx context.Context) ([]core.Secret, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.o.URL+"/config", nil)
	if err != nil {
		return nil, fmt.Errorf("travis: fetching the keys: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "nodejitsu-webhooks")
	resp, err := k.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("travis: fetching the keys: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("travis: fetching the keys: %s answered %d %s", k.o.URL, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("travis: fetching the keys: %w", err)
	}
	keys, err := read(text)
	if err != nil {
		return nil, err
	}
	k.o.Logger.InfoContext(ctx, "travis keys fetched", "url", k.o.URL, "keys", len(keys))
	return keys, nil
}

// read finds the key in an answer of GET /config.
func read(text []byte) ([]core.Secret, error) {
	var answer struct {
		Config struct {
			Notifications struct {
				Webhook struct {
					PublicKey string `json:"public_key"`
				} `json:"webhook"`
			} `json:"notifications"`
		} `json:"config"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("travis: the configuration is not JSON: %w", err)
	}
	key := answer.Config.Notifications.Webhook.PublicKey
	if block, _ := pem.Decode([]byte(key)); block == nil {
		return nil, errors.New("travis: the configuration has no public key; is it the URL of Travis CI's API?")
	}
	return []core.Secret{core.NewSecret(key)}, nil
}
