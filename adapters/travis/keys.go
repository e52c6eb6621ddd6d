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

// DefaultURL is the API of travis-ci.com. That of travis-ci.org was switched
// off in June 2021.
const DefaultURL = "https://api.travis-ci.com"

// Options are what [New] takes; none is required.
type Options struct {
	URL string // of the API; default [DefaultURL]
	// PrivateHosts are names, without a port, that may have private addresses.
	// Where the URL's host is an address itself, or localhost, it may anyway.
	PrivateHosts []string
	// Every bounds how often Travis CI is asked, whatever is sent to us;
	// default a minute.
	Every  time.Duration
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: discards
}

// Keys are the public keys of Travis CI, as far as they were asked for. They
// may be used concurrently.
type Keys struct {
	o     Options
	guard *guard.Guard
	http  http.Client
	turn  chan struct{} // size 1: held while asking

	mu    sync.Mutex // guards what follows
	known []core.Secret
	asked time.Time // zero: never
}

// New returns Keys. It asks nobody yet. It fails only where the URL is none.
func New(o Options) (*Keys, error) {
	o.URL = strings.TrimRight(cmp.Or(o.URL, DefaultURL), "/")
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("travis: the API's URL is none; it takes http or https and a host")
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
	k := &Keys{o: o, guard: guard.ForURL(u, o.PrivateHosts), turn: make(chan struct{}, 1)}
	k.http = http.Client{
		Timeout:       5 * time.Second,
		Transport:     &outage.Transport{Next: k.guard.Transport(), Log: outage.New(o.Logger, o.Now)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return k, nil
}

// Known returns the keys. They are asked for at the first call; and again, but
// not too often, where missed says that a signature fits none of them. Where
// Travis CI doesn't answer, those known so far are returned with the error.
func (k *Keys) Known(ctx context.Context, missed bool) ([]core.Secret, error) {
	if known, ok := k.kept(missed); ok {
		return known, nil
	}
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("travis: asking for the keys: %w", ctx.Err())
	}
	if known, ok := k.kept(missed); ok {
		return known, nil // somebody asked while we waited
	}
	asked, err := k.ask(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() == nil {
		k.asked = k.o.Now()
	}
	if err != nil {
		return k.known, err
	}
	k.known = asked
	return k.known, nil
}

// kept returns the keys where nobody needs to be asked, or was asked just now.
func (k *Keys) kept(missed bool) (known []core.Secret, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	justNow := !k.asked.IsZero() && k.o.Now().Sub(k.asked) < k.o.Every
	return k.known, justNow || len(k.known) > 0 && !missed
}

const maxAnswer = 1 << 20 // bytes

// ask reads the keys from Travis CI.
func (k *Keys) ask(ctx context.Context) ([]core.Secret, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.o.URL+"/config", nil)
	if err != nil {
		return nil, fmt.Errorf("travis: asking for the keys: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "nodejitsu-webhooks")
	resp, err := k.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("travis: asking for the keys: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("travis: asking for the keys: %s answers %d %s", k.o.URL, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("travis: asking for the keys: %w", err)
	}
	keys, err := read(text)
	if err != nil {
		return nil, err
	}
	k.o.Logger.InfoContext(ctx, "travis keys read", "url", k.o.URL, "keys", len(keys))
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
		return nil, fmt.Errorf("travis: the configuration is no JSON: %w", err)
	}
	key := answer.Config.Notifications.Webhook.PublicKey
	if block, _ := pem.Decode([]byte(key)); block == nil {
		return nil, errors.New("travis: the configuration has no public key; is it the URL of Travis CI's API?")
	}
	return []core.Secret{core.Secret(key)}, nil
}
