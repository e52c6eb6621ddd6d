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
		`[{"ram":512,"cpus":1.5,"processes":100}]`, `[{"cpus":0}]`, `[{"cpus":-1}]`, `[{"ram":63}]`, `[{"processes":5000}]`,
		`[{"drones":9223372036854775807,"ram":-9223372036854775808}]`, `[null]`, `[{"datacenter":"../local"}]`,
	} {
		f.Add([]byte(seed))
	}
	a := &Apps{o: Options{MaxDrones: 10, Memory: 1024, MaxMemory: 4096}}
	f.Fuzz(func(t *testing.T, body []byte) {
		var requested []Cloud
		if json.Unmarshal(body, &requested) != nil {
			return
		}
		d := document{visible: visible{Drones: 2, Limits: limits{RAM: 256}}}
		drones, l, _, err := a.wanted(d, requested)
		if err != nil {
			if core.CodeOf(err) != core.CodePlatformInvalid || drones != 0 || l != (limits{}) {
				t.Fatalf("%q: %d, %+v, %v", body, drones, l, err)
			}
			return
		}
		if drones < 1 || drones > 10 || l.RAM < 64 || l.RAM > 4096 || l.CPUs < 0 || l.CPUs > 1024 || l.Processes < 0 || l.Processes > 4096 {
			t.Fatalf("%q: %d, %+v", body, drones, l)
		}
		d.Drones, d.Limits = drones, l
		again, same, named, err := a.wanted(d, a.cloud(d))
		if err != nil || !named || again != drones || same != l {
			t.Fatalf("%q is %d, %+v, and then %d, %+v, %v", body, drones, l, again, same, err)
		}
	})
}
