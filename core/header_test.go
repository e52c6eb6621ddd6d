package core_test

import (
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	d := core.Delivery{Header: textproto.MIMEHeader{
		"X-Github-Event": {"push"}, "User-Agent": {strings.Repeat("a", 300)}, "Content-Type": {"application/json"}, "X-Event-Key": {"repo:push"},
		"X-Hub-Signature-256": {"canary"}, "X-Gitlab-Token": {"canary"}, "X-Gitea-Signature": {"canary"}, "Authorization": {"canary"},
		"Cookie": {"canary"}, "Signature": {"canary"}, "X-Forwarded-For": {"canary"}, "X-Api-Key": {"canary"}, "X-Github-Delivery": nil,
	}}
	want := []string{"Content-Type: application/json", "User-Agent: " + strings.Repeat("a", 200), "X-Event-Key: repo:push", "X-Github-Event: push"}
	if got := d.Describe(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	many := core.Delivery{Header: textproto.MIMEHeader{}}
	for i := range 50 {
		many.Header["X-Github-"+strings.Repeat("A", i+1)] = []string{"x"}
	}
	if got := many.Describe(); len(got) != 20 {
		t.Errorf("got %d headers, want 20", len(got))
	}
}
