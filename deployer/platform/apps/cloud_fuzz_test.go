package apps

import (
	"encoding/json"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/datacenters"
	"github.com/nodejitsu/webhooks/deployer/platform/problem"
)

// Whatever cloud is asked for: an app lives in datacenters that there are, once
// in each, with a number of drones that it may have.
func FuzzCloud(f *testing.F) {
	for _, seed := range []string{
		`[]`, `null`, `[{}]`, `[{"drones":3}]`, `[{"drones":-1}]`, `[{"drones":11}]`, `[{"datacenter":"east"}]`, `[{"datacenter":"east","drones":2,"ram":512},{"datacenter":"local"}]`,
		`[{"datacenter":"east"},{"datacenter":"east"}]`, `[{"provider":"joyent","datacenter":"us-east-1"}]`, `[{"provider":"webhooks"}]`, `[{"datacenter":""},{"drones":1}]`,
		`[{"drones":9223372036854775807,"ram":-9223372036854775808}]`, `[null]`, `[{"datacenter":"../east"}]`,
	} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "east")
	}
	places, err := datacenters.New(datacenters.Options{Branches: map[string]string{"east": "http://127.0.0.1:1"}})
	if err != nil {
		f.Fatal(err)
	}
	a := &Apps{o: Options{Datacenters: places, MaxDrones: 10}}
	f.Fuzz(func(t *testing.T, body []byte, at string) {
		var asked []Cloud
		if json.Unmarshal(body, &asked) != nil {
			return
		}
		lives := Cloud{Provider: datacenters.Provider, Datacenter: datacenters.Local, Drones: 2, RAM: 256}
		d := document{User: "me", Name: "app", Cloud: []Cloud{lives}}
		wanted, err := a.wanted(d, at, asked)
		if d.Cloud[0] != lives {
			t.Fatalf("%q changed what is kept: %+v", body, d.Cloud)
		}
		if err != nil {
			if !problem.Is(err, problem.Invalid) || wanted != nil {
				t.Fatalf("%q: %+v, %v", body, wanted, err)
			}
			return
		}
		seen := map[string]bool{}
		for _, share := range wanted {
			if share.Provider != datacenters.Provider || !places.Known(share.Datacenter) || seen[share.Datacenter] || share.Drones < 1 || share.Drones > 10 || share.RAM < 1 {
				t.Fatalf("%q: %+v", body, wanted)
			}
			seen[share.Datacenter] = true
		}
		if len(wanted) == 0 {
			t.Fatalf("%q: the app lives nowhere", body)
		}
		again, err := a.wanted(document{User: "me", Name: "app", Cloud: wanted}, at, wanted)
		if err != nil || len(again) != len(wanted) || again[0] != wanted[0] {
			t.Fatalf("%q is %+v, and then %+v, %v", body, wanted, again, err)
		}
	})
}
