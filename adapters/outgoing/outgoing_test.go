package outgoing_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/outgoing"
	"github.com/nodejitsu/webhooks/core"
)

var secret = core.NewSecret("canary-secret")

// received is one delivery.
type received struct {
	header http.Header
	body   string
}

// receiver records deliveries and answers them by answer.
func receiver(t *testing.T, answer http.HandlerFunc) (url string, got chan received) {
	t.Helper()
	got = make(chan received, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- received{r.Header, string(body)}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/canary-path", got
}

func webhook(t *testing.T, o outgoing.Options) *outgoing.Webhook {
	t.Helper()
	o.Now = func() time.Time { return time.Unix(1700000000, 0) }
	w, err := outgoing.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var entry = core.Entry{
	ID: "0192f0c17a3e7cc1a2b30123456789ab", Revision: 12, User: "dscape", App: "hello", Status: core.StatusOK,
	FinishedAt: time.Unix(1699999999, 0).UTC(),
}

func sum(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func TestDeliveryIsSigned(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if err := webhook(t, outgoing.Options{URL: url, Secret: secret}).Notify(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	r := <-got
	id := entry.ID + ".12"
	for name, want := range map[string]string{
		"Content-Type":        "application/json",
		"webhook-id":          id,
		"webhook-timestamp":   "1700000000",
		"webhook-signature":   "v1," + base64.StdEncoding.EncodeToString(sum(secret.Reveal(), id+".1700000000."+r.body)),
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(sum(secret.Reveal(), r.body)),
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var body struct {
		Type      string     `json:"type"`
		Timestamp time.Time  `json:"timestamp"`
		Data      core.Entry `json:"data"`
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatal(err)
	}
	if body.Type != "deployment.ok" || !body.Timestamp.Equal(entry.FinishedAt) || body.Data.ID != entry.ID || body.Data.App != "hello" {
		t.Errorf("got %s", r.body)
	}
}

// The secret is one of the specification's own examples.
func TestSerializedSecret(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, func(http.ResponseWriter, *http.Request) {})
	const serialized = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if err := webhook(t, outgoing.Options{URL: url, Secret: core.NewSecret(serialized)}).Notify(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if got, want := r.header.Get("webhook-signature"), "v1,"+base64.StdEncoding.EncodeToString(sum(string(key), entry.ID+".12.1700000000."+r.body)); got != want {
		t.Errorf("webhook-signature is %q, want %q", got, want)
	}
	if got, want := r.header.Get("X-Hub-Signature-256"), "sha256="+hex.EncodeToString(sum(serialized, r.body)); got != want {
		t.Errorf("X-Hub-Signature-256 is %q, want %q", got, want)
	}
	for _, none := range []core.Secret{core.NewSecret("whsec_"), core.NewSecret("whsec_canary!"), core.NewSecret("whsec_canary")} {
		if _, err := outgoing.New(outgoing.Options{URL: url, Secret: none}); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", none.Reveal(), err)
		}
	}
}

func TestDeliveryWithoutASecret(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, func(http.ResponseWriter, *http.Request) {})
	if err := webhook(t, outgoing.Options{URL: url}).Notify(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.header.Get("webhook-signature")+r.header.Get("X-Hub-Signature-256") != "" || r.header.Get("webhook-id") == "" {
		t.Errorf("headers %v", r.header)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct {
		transient bool
		after     time.Duration
	}{
		500: {true, 0}, 502: {true, 0}, 503: {true, 30 * time.Second}, 429: {true, 30 * time.Second}, 408: {true, 30 * time.Second},
		302: {false, 0}, 400: {false, 0}, 401: {false, 0}, 404: {false, 0}, 410: {false, 0},
	} {
		url, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			if c.after > 0 {
				w.Header().Set("Retry-After", "30")
			}
			w.WriteHeader(status)
		})
		err := webhook(t, outgoing.Options{URL: url, Secret: secret}).Notify(t.Context(), entry)
		after, transient := core.Retryable(err)
		if err == nil || transient != c.transient || after != c.after {
			t.Errorf("%d: transient %t after %s, %v", status, transient, after, err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: the error has a secret: %v", status, err)
		}
		if len(got) != 1 {
			t.Errorf("%d: %d requests", status, len(got))
		}
	}
}

// The time of Retry-After is limited.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "7200": time.Hour, "10000000000": 0, "99999999999999999999": 0, "-5": 0, "soon": 0,
		"Tue, 14 Nov 2023 22:13:30 GMT": 10 * time.Second, // ten seconds after the clock's
	} {
		url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		after, transient := core.Retryable(webhook(t, outgoing.Options{URL: url}).Notify(t.Context(), entry))
		if !transient || after != want {
			t.Errorf("%q: retryable %t after %s, want %s", value, transient, after, want)
		}
	}
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	err := webhook(t, outgoing.Options{URL: server.URL + "/canary-path"}).Notify(t.Context(), entry)
	if _, transient := core.Retryable(err); !transient || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
	for _, url := range []string{"", "ftp://example.com", "https://", "://canary"} {
		if _, err := outgoing.New(outgoing.Options{URL: url}); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// If a receiver repeats the request in its answer, the error does not contain the
// URL, the secret or the signature.
func TestErrorsWithoutRepeatedCredentials(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"HTTP/1.1 500 ", ""} { // an answer, and one that is not HTTP
		var sent string
		url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			sent = r.Header.Get("X-Hub-Signature-256")
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(connection, status+strings.Join([]string{r.URL.Path, secret.Reveal(), sent, r.Header.Get("webhook-signature")}, ",")+"\r\n\r\n")
			_ = connection.Close()
		})
		err := webhook(t, outgoing.Options{URL: url, Secret: secret}).Notify(t.Context(), entry)
		if err == nil || sent == "" {
			t.Fatalf("got %v and the signature %q", err, sent)
		}
		for _, leak := range []string{"canary", sent, strings.TrimPrefix(sent, "sha256="), "v1,"} {
			if strings.Contains(err.Error(), leak) {
				t.Errorf("the error has %q: %v", leak, err)
			}
		}
	}
}
