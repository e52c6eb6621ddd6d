package sim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // GitHub sends this signature beside the other
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// HookOptions are the settings of a webhook.
type HookOptions struct {
	Secret      core.Secret // signs the deliveries; "": they are unsigned
	ContentType string      // "json" or "form"; default "form", as in GitHub's API
	Events      []string    // default push; "*" is all
}

// hook is a repository's webhook.
type hook struct {
	id      int64
	url     string
	options HookOptions
	created time.Time
}

func (h hook) wants(event string) bool {
	return event == "ping" || slices.Contains(h.options.Events, "*") || slices.Contains(h.options.Events, event)
}

// Delivery is one POST of a webhook, and the answer to it.
type Delivery struct {
	GUID       string // the header X-GitHub-Delivery
	Event      string
	Ref        string // of a push
	Hook       int64
	URL        string // including its credentials
	Redelivery bool
	At         time.Time
	Request    http.Header
	Sent       []byte // the request's body
	Payload    []byte // the JSON within it

	Status   int // of the answer; 0 if there was none
	Response http.Header
	Body     []byte // of the answer, at most 1 MiB
	Err      error  // if there was no answer
}

// Hook creates a webhook of the repository and returns its ping. The URL may
// include user:password@, which is sent as Basic authentication (as seen in
// sandstorm-io/sandstorm#509). Unlike at GitHub, it may name this machine.
func (s *Server) Hook(ctx context.Context, owner, name, to string, options HookOptions) (Delivery, error) {
	r, err := s.find(owner, name)
	if err != nil {
		return Delivery{}, err
	}
	if u, err := url.Parse(to); err != nil || u.Host == "" {
		return Delivery{}, errors.New("sim: hook: invalid URL")
	}
	switch options.ContentType {
	case "":
		options.ContentType = "form"
	case "form", "json":
	default:
		return Delivery{}, fmt.Errorf("sim: hook: content type %q is neither json nor form", options.ContentType)
	}
	if len(options.Events) == 0 {
		options.Events = []string{"push"}
	}
	s.mu.Lock()
	s.hookCount++
	h := hook{id: s.hookCount, url: to, options: options, created: s.options.Now()}
	r.hooks = append(r.hooks, h)
	s.mu.Unlock()
	payload, err := s.pingJSON(ctx, r, h)
	if err != nil {
		return Delivery{}, err
	}
	return s.deliver(ctx, r, h, Delivery{Event: "ping", Payload: payload}), nil
}

// Send delivers an event of any kind, with the given payload, to the webhooks of the
// repository that are subscribed to it.
func (s *Server) Send(ctx context.Context, owner, name, event string, payload []byte) ([]Delivery, error) {
	r, err := s.find(owner, name)
	if err != nil {
		return nil, err
	}
	return s.deliverAll(ctx, r, Delivery{Event: event, Payload: payload}), nil
}

// Redeliver sends a delivery again: the same body under the same GUID.
func (s *Server) Redeliver(ctx context.Context, guid string) (Delivery, error) {
	s.mu.Lock()
	at := slices.IndexFunc(s.deliveries, func(d Delivery) bool { return d.GUID == guid })
	var first Delivery
	var r *repository
	var h hook
	if at >= 0 {
		first = s.deliveries[at]
		for _, one := range s.repositories {
			for _, other := range one.hooks {
				if other.id == first.Hook {
					r, h = one, other
				}
			}
		}
	}
	s.mu.Unlock()
	if r == nil {
		return Delivery{}, fmt.Errorf("sim: redeliver %q: %w", guid, core.ErrNotFound)
	}
	return s.deliver(ctx, r, h, Delivery{GUID: guid, Event: first.Event, Ref: first.Ref, Payload: first.Payload, Redelivery: true}), nil
}

// Deliveries returns all deliveries, in the order in which they were made.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

func (s *Server) deliverAll(ctx context.Context, r *repository, d Delivery) []Delivery {
	s.mu.Lock()
	hooks := slices.Clone(r.hooks)
	s.mu.Unlock()
	var all []Delivery
	for _, h := range hooks {
		if h.wants(d.Event) {
			all = append(all, s.deliver(ctx, r, h, d))
		}
	}
	return all
}

// deliver makes one POST, as GitHub does: without redirects or retries, and within
// Options.DeliveryTimeout.
func (s *Server) deliver(ctx context.Context, r *repository, h hook, d Delivery) Delivery {
	if d.GUID == "" {
		d.GUID = newGUID()
	}
	d.Hook, d.URL, d.Sent, d.At = h.id, h.url, d.Payload, s.options.Now()
	contentType := "application/json"
	if h.options.ContentType == "form" {
		contentType = "application/x-www-form-urlencoded"
		d.Sent = []byte(url.Values{"payload": {string(d.Payload)}}.Encode())
	}
	d.Request = http.Header{
		"Accept":                                 {"*/*"},
		"Content-Type":                           {contentType},
		"User-Agent":                             {"GitHub-Hookshot/" + strconv.FormatInt(idOf("hookshot", r.slug()), 16)},
		"X-Github-Delivery":                      {d.GUID},
		"X-Github-Event":                         {d.Event},
		"X-Github-Hook-Id":                       {strconv.FormatInt(h.id, 10)},
		"X-Github-Hook-Installation-Target-Id":   {strconv.FormatInt(idOf("repository", r.slug()), 10)},
		"X-Github-Hook-Installation-Target-Type": {"repository"},
	}
	if !h.options.Secret.IsZero() {
		d.Request.Set("X-Hub-Signature", "sha1="+sign(sha1.New, h.options.Secret, d.Sent))
		d.Request.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, h.options.Secret, d.Sent))
	}
	if len(d.Sent) > core.MaxPayload {
		d.Err = errors.New("larger than 25 MB, which GitHub does not deliver")
	} else {
		d.Status, d.Response, d.Body, d.Err = post(ctx, s.sender, h.url, d.Request, d.Sent)
	}
	s.options.Logger.Debug("delivered", "delivery_id", d.GUID, "event", d.Event, "repo", r.slug(), "status", d.Status)
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
	return d
}

func sign(algorithm func() hash.Hash, secret core.Secret, body []byte) string {
	mac := hmac.New(algorithm, []byte(secret.Reveal()))
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// post sends a body and returns the answer. net/http sends user:password@ in the URL
// as Basic authentication.
func post(ctx context.Context, client *http.Client, to string, header http.Header, body []byte) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, errors.New("sim: invalid URL")
	}
	req.Header = header.Clone()
	resp, err := client.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL, which may include credentials
	}
	if err != nil {
		return 0, nil, nil, fmt.Errorf("sim: post: %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, nil, nil, fmt.Errorf("sim: post: %w", err)
	}
	return resp.StatusCode, resp.Header, answer, nil
}

// bareURL returns a URL without the credentials in it.
func bareURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// newGUID returns a random UUID.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *Server) pingJSON(ctx context.Context, r *repository, h hook) ([]byte, error) {
	repo, err := s.repositoryJSON(ctx, r)
	if err != nil {
		return nil, err
	}
	api := s.URL() + "repos/" + r.slug() + "/hooks/" + strconv.FormatInt(h.id, 10)
	config := map[string]string{"content_type": h.options.ContentType, "insecure_ssl": "0", "url": bareURL(h.url)}
	if !h.options.Secret.IsZero() {
		config["secret"] = "********"
	}
	created := h.created.UTC().Format(time.RFC3339)
	return json.Marshal(map[string]any{
		"zen":     "Small steps arrive.",
		"hook_id": h.id,
		"hook": map[string]any{
			"type": "Repository", "id": h.id, "name": "web", "active": true, "events": h.options.Events,
			"config": config, "updated_at": created, "created_at": created,
			"url": api, "test_url": api + "/test", "ping_url": api + "/pings", "deliveries_url": api + "/deliveries",
			"last_response": map[string]any{"code": nil, "status": "unused", "message": nil},
		},
		"repository": repo,
		"sender":     s.userJSON(r.owner),
	})
}
