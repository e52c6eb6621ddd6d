// Package golden is for the tests of the providers: it reads the payloads in testdata,
// compares the events that they are parsed to, and makes hostile ones.
package golden

import (
	"bytes"
	"encoding/json"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// Payloads returns the payloads in testdata by name: "push" is testdata/push.json.
func Payloads(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no payloads in testdata (%v)", err)
	}
	payloads := map[string][]byte{}
	for _, path := range paths {
		payloads[strings.TrimSuffix(filepath.Base(path), ".json")] = Payload(tb, path)
	}
	return payloads
}

// Payload returns the payload in the file at path.
func Payload(tb testing.TB, path string) []byte {
	tb.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // a test's own file
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Check compares got, as JSON, with testdata/NAME.golden, which it writes if update is
// set.
func Check(t *testing.T, name string, got any, update bool) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	path := filepath.Join("testdata", name+".golden")
	if update {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := Payload(t, path); !bytes.Equal(text, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, text, want)
	}
}

// Deliveries returns payload in the ways in which it may arrive: as JSON, without the
// newlines that `curl -d @file` removes, after a byte order mark, and in a form as
// GitHub, its service hook of 2012 and Travis CI send it.
func Deliveries(tb testing.TB, header textproto.MIMEHeader, payload []byte) map[string]core.Delivery {
	tb.Helper()
	escaped := url.QueryEscape(string(payload))
	bodies := map[string]string{
		"json":            string(payload),
		"curl":            strings.NewReplacer("\n", "", "\r", "").Replace(string(payload)),
		"byte order mark": "\ufeff" + string(payload),
		"form":            "payload=" + escaped,
		"service hook":    "email_success=1&payload=" + escaped + "&email_errors=1",
	}
	deliveries := map[string]core.Delivery{}
	for name, body := range bodies {
		d, err := core.NewDelivery(header, []byte(body))
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		deliveries[name] = d
	}
	return deliveries
}
