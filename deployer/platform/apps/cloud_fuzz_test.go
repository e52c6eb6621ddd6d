package apps

import (
	"encoding/json"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// Whatever cloud is requested, an app keeps to the one datacenter with a number
// of drones that it may have.
func FuzzCloud(f *testing.F) {
	for _, seed := range []string{
		`[]`, `null`, `[{}]`, `[{"drones":3}]`, `[{"drones":-1}]`, `[{"drones":11}]`, `[{"datacenter":"local"}]`, `[{"datacenter":"local","drones":2,"ram":512},{"datacenter":"local"}]`,
		`[{"datacenter":"east"}]`, `[{"provider":"joyent","datacenter":"us-east-1"}]`, `[{"provider":"webhooks"}]`, `[{"datacenter":""},{"drones":1}]`,
		`[{"drones":9223372036854775807,"ram":-9223372036854775808}]`, `[null]`, `[{"datacenter":"../local"}]`,
	} {
		f.Add([]byte(seed))
	}
	a := &Apps{o: Options{MaxDrones: 10}}
	f.Fuzz(func(t *testing.T, body []byte) {
		var requested []Cloud
		if json.Unmarshal(body, &requested) != nil {
			return
		}
		before := Cloud{Provider: Provider, Datacenter: Datacenter, Drones: 2, RAM: 256}
		wanted, _, err := a.wanted(before, requested)
		if err != nil {
			if core.CodeOf(err) != core.CodePlatformInvalid || wanted != (Cloud{}) {
				t.Fatalf("%q: %+v, %v", body, wanted, err)
			}
			return
		}
		if wanted.Provider != Provider || wanted.Datacenter != Datacenter || wanted.Drones < 1 || wanted.Drones > 10 || wanted.RAM < 1 {
			t.Fatalf("%q: %+v", body, wanted)
		}
		if again, named, err := a.wanted(before, []Cloud{wanted}); err != nil || !named || again != wanted {
			t.Fatalf("%q is %+v, and then %+v, %v", body, wanted, again, err)
		}
	})
}
