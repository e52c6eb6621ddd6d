package apps

import (
	"strings"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

func hostsOf(d document) []string {
	hosts := []string{"s " + d.Subdomain}
	for _, domain := range d.Domains {
		hosts = append(hosts, "d "+domain)
	}
	return hosts
}

// claim makes the hosts of d its own, in the place of those of before. It
// refuses where one is another app's.
func (a *Apps) claim(tx *bbolt.Tx, before, d document) error {
	bucket, owner := tx.Bucket([]byte(bucketHosts)), key(d.User, d.Name)
	if before.Name != "" {
		if err := a.unclaim(tx, before); err != nil {
			return err
		}
	}
	for _, host := range hostsOf(d) {
		if other := bucket.Get([]byte(host)); other != nil && string(other) != owner {
			what := "domain"
			if host[0] == 's' {
				what = "subdomain"
			}
			return core.Errorf(core.CodePlatformHostConflict, "The %s %q is another app's; choose another one in package.json", what, host[2:])
		}
		if err := bucket.Put([]byte(host), []byte(owner)); err != nil {
			return err
		}
	}
	return a.publishHosts(tx)
}

// unclaim gives the hosts of d up.
func (a *Apps) unclaim(tx *bbolt.Tx, d document) error {
	bucket := tx.Bucket([]byte(bucketHosts))
	for _, host := range hostsOf(d) {
		if string(bucket.Get([]byte(host))) != key(d.User, d.Name) {
			continue
		}
		if err := bucket.Delete([]byte(host)); err != nil {
			return err
		}
	}
	return a.publishHosts(tx)
}

// hostTable says whose each host is, for [Apps.Lookup], which is called for each
// request to an app.
type hostTable struct {
	version int // of the transaction that it is from
	owners  map[string]appKey
}

type appKey struct{ user, app string }

// publishHosts makes Lookup use the hosts as they are in tx, once it is committed.
func (a *Apps) publishHosts(tx *bbolt.Tx) error {
	table := &hostTable{version: tx.ID(), owners: map[string]appKey{}}
	err := tx.Bucket([]byte(bucketHosts)).ForEach(func(host, owner []byte) error {
		user, app, _ := strings.Cut(string(owner), "/")
		table.owners[string(host)] = appKey{user, app}
		return nil
	})
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		for { // commits may come here in any order
			current := a.hosts.Load()
			if current != nil && current.version > table.version || a.hosts.CompareAndSwap(current, table) {
				return
			}
		}
	})
	return nil
}

// Lookup finds the app that a host belongs to, for the router. The host is
// lower-case and has neither a port nor a trailing dot.
func (a *Apps) Lookup(host string) (user, app string, ok bool) {
	name := "d " + host
	if subdomain, below := strings.CutSuffix(host, "."+a.o.Domain); below {
		name = "s " + subdomain
	}
	owner, ok := a.hosts.Load().owners[name]
	return owner.user, owner.app, ok
}

// Availability tells whether an app could be made.
type Availability struct {
	Available bool `json:"available"` // both of the others
	AppName   bool `json:"appname"`
	Subdomain bool `json:"subdomain"`
}

// Available tells whether the user could make an app of that name and
// subdomain; an empty subdomain stands for the name. The subdomain of the
// user's own app of that name counts as free.
func (a *Apps) Available(user, app, subdomain string) (Availability, error) {
	if err := checkName("an app's name", app); err != nil {
		return Availability{}, err
	}
	if subdomain == "" {
		subdomain = app
	}
	if err := checkName("a subdomain", subdomain); err != nil {
		return Availability{}, err
	}
	var found Availability
	err := a.o.DB.View(func(tx *bbolt.Tx) error {
		found.AppName = tx.Bucket([]byte(bucketApps)).Get([]byte(key(user, app))) == nil
		owner := string(tx.Bucket([]byte(bucketHosts)).Get([]byte("s " + subdomain)))
		found.Subdomain = owner == "" || owner == key(user, app)
		return nil
	})
	found.Available = found.AppName && found.Subdomain
	return found, wrapped("looking for an app", err)
}
