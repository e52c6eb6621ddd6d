package senders

import (
	"net/textproto"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/bitbucket"
	"github.com/nodejitsu/webhooks/providers/gitea"
	"github.com/nodejitsu/webhooks/providers/github"
	"github.com/nodejitsu/webhooks/providers/gitlab"
	"github.com/nodejitsu/webhooks/providers/receive"
)

// maxAllocations is how often verifying and parsing a push may allocate memory,
// whatever its size.
const maxAllocations = 25

func TestAllocations(t *testing.T) {
	of := map[string]receive.Provider{
		"github": github.Provider{}, "gitlab": gitlab.Provider{}, "gitea": gitea.Provider{}, "bitbucket": bitbucket.Provider{},
	}
	for _, r := range races(t) {
		p := of[r.sender]
		for _, size := range []int{0, 100 << 10, 1 << 20} {
			payload := push(t, r, size)
			d, err := core.NewDelivery(textproto.MIMEHeader(r.request(payload)().Header), payload)
			if err != nil {
				t.Fatal(err)
			}
			keys := []core.Secret{core.NewSecret(key)}
			n := testing.AllocsPerRun(20, func() {
				s, _ := p.Verify(d, keys)
				if _, err := p.Parse(d); err != nil || s != core.SignatureValid {
					t.Fatalf("%s: %s, %v", r.sender, s, err)
				}
			})
			if n > maxAllocations {
				t.Errorf("%s, %d bytes: %v allocations, want at most %d", r.sender, len(payload), n, maxAllocations)
			}
		}
	}
}
