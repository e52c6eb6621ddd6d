package travis

import (
	"encoding/json"
	"net/textproto"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

// Whatever arrives is read or refused with a code, and what was read can be
// kept: it is valid, bounded, and JSON has a form for it.
func FuzzParse(f *testing.F) {
	for _, payload := range golden.Payloads(f) {
		f.Add(payload)
	}
	f.Add([]byte(build()))
	f.Add([]byte(build(`"state"`, `"status_message":"Fixed"`, `"result":0`)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d := core.Delivery{Header: textproto.MIMEHeader{}, Body: payload, Payload: payload}
		Provider{}.Recognize(d)
		Provider{}.Resembles(d)
		Provider{}.Verify(d, nil)
		e, err := Provider{}.Parse(d)
		if err != nil {
			if core.CodeOf(err) != core.CodeProviderNotSupported {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !json.Valid(payload) {
			t.Fatal("read what is not JSON")
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
		if !core.ValidRepositoryPart(e.Repository.Owner) || !core.ValidRepositoryPart(e.Repository.Name) || !core.ValidCommit(e.Commit.ID) {
			t.Fatalf("event %+v", e)
		}
		if e.Build.State == "" || e.Name == "" || e.Branch != "" && e.Tag != "" || len(e.Build.ID) > 100 || len(e.Commit.Message) > 16<<10 {
			t.Fatalf("event %+v", e)
		}
	})
}
