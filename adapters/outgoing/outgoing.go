package outgoing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/post"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Options configure a [Webhook]. URL is required.
type Options struct {
	URL    string
	Secret core.Secret      // that deliveries are signed with; "" for no signature
	Now    func() time.Time // default time.Now
	// PrivateHosts are names, without a port, that may have private addresses.
	// A URL whose host is an address, or localhost, may be private without it.
	PrivateHosts []string
}

// Webhook is a [deploy.Notifier]. It may be used concurrently.
type Webhook struct {
	o     Options
	key   []byte      // of webhook-signature
	path  core.Secret // of the URL, with its query: for many receivers it is the credential
	guard *guard.Guard
	http  *post.Client
}

var _ deploy.Notifier = (*Webhook)(nil)

// New returns a Webhook. It does not connect. It fails if the URL or the secret is
// invalid.
func New(o Options) (*Webhook, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("outgoing: invalid webhook URL: want http(s)://host[/path]")
	}
	key, err := standardKey(o.Secret)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Webhook{o: o, key: key, path: core.NewSecret(strings.TrimPrefix(u.RequestURI(), "/")), guard: guard.ForURL(u, o.PrivateHosts)}
	w.http = post.New(w.guard, o.Now)
	return w, nil
}

// standardKey returns the key of a secret for Standard Webhooks: the decoded Base64
// after whsec_ if it has that prefix, as for its libraries, else the secret itself.
func standardKey(secret core.Secret) ([]byte, error) {
	text, serialized := strings.CutPrefix(secret.Reveal(), "whsec_")
	if !serialized {
		return []byte(text), nil
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, errors.New("outgoing: invalid secret: want Base64 after whsec_")
	}
	return key, nil
}

// Name implements deploy.Notifier.
func (w *Webhook) Name() string { return "webhook" }

// Notify implements deploy.Notifier.
func (w *Webhook) Notify(ctx context.Context, e core.Entry) error {
	body, err := json.Marshal(map[string]any{
		"type": "deployment." + string(e.Status), "timestamp": e.FinishedAt, "data": e,
	})
	if err != nil {
		return fmt.Errorf("outgoing: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("outgoing: invalid webhook URL")
	}
	id, now := e.ID+"."+strconv.FormatInt(e.Revision, 10), strconv.FormatInt(w.o.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", now)
	if !w.o.Secret.IsZero() {
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sign([]byte(w.o.Secret.Reveal()), body)))
		signed := append([]byte(id+"."+now+"."), body...)
		req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sign(w.key, signed)))
	}
	if err := w.http.Do(req, w.path, w.o.Secret); err != nil {
		return fmt.Errorf("outgoing: %w", err)
	}
	return nil
}

func sign(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return mac.Sum(nil)
}
