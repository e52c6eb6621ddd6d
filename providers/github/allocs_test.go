package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// signed returns a signed delivery of a push with n commits.
func signed(tb testing.TB, n int, key core.Secret) core.Delivery {
	tb.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = `{"id":"` + id(i) + `","message":"Fix\nall [skip ci]","author":{"name":"a","email":"b"},"added":["` + strings.Repeat("x", 200) + `"]}`
	}
	d := deliver(tb, "push", push(`"commits":[`+strings.Join(list, ",")+`]`,
		`"head_commit":{"id":"`+sha("a")+`","message":"Fix\nall","timestamp":"2026-11-27T10:00:00+01:00","url":"https://github.com/o/n","author":{"name":"a","email":"b","username":"c"}}`))
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write(d.Body)
	d.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return d
}

// The number of allocations does not depend on the size of the payload.
func TestAllocations(t *testing.T) {
	for _, commits := range []int{0, 1, 20, 300, 3000} {
		d := signed(t, commits, core.NewSecret("key"))
		keys := []core.Secret{core.NewSecret("key")}
		parse := testing.AllocsPerRun(20, func() {
			if _, err := (Provider{}).Parse(d); err != nil {
				t.Fatal(err)
			}
		})
		verify := testing.AllocsPerRun(20, func() {
			if s, _ := (Provider{}).Verify(d, keys); s != core.SignatureValid {
				t.Fatal("not valid")
			}
		})
		if parse+verify > 25 {
			t.Errorf("%d commits, %d bytes: parse allocates %v times, verify %v times", commits, len(d.Body), parse, verify)
		}
	}
}
