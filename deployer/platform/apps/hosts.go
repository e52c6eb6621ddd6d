package apps

import (
	"strings"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// hostsOf returns the keys of an app's hosts; none for a document without a name.
func hostsOf(d document) []string {
	if d.Name == "" {
		return nil
	}
	hosts := []string{"s " + d.Subdomain}
	for _, domain := range d.Domains {
		hosts = append(hosts, "d "+domain)
	}
	return hosts
}

// claim replaces the hosts of before with those of after. It fails if one belongs
// to another app.
func claim(tx *bbolt.Tx, before, after document) error {
	bucket := tx.Bucket([]byte(bucketHosts))
	for _, host := range hostsOf(before) {
		if string(bucket.Get([]byte(host))) != key(before.User, before.Name) {
			continue
		}
		if err := bucket.Delete([]byte(host)); err != nil {
			return err
		}
	}
	if err := checkFree(tx, after); err != nil {
		return err
	}
	for _, host := range hostsOf(after) {
		if err := bucket.Put([]byte(host), []byte(key(after.User, after.Name))); err != nil {
			return err
		}
	}
	return nil
}

// checkFree fails if one of an app's hosts belongs to another app.
func checkFree(tx *bbolt.Tx, d document) error {
	for _, host := range hostsOf(d) {
		other := tx.Bucket([]byte(bucketHosts)).Get([]byte(host))
		if other == nil || string(other) == key(d.User, d.Name) {
			continue
		}
		what := "domain"
		if host[0] == 's' {
			what = "subdomain"
		}
		return core.Errorf(core.CodePlatformHostConflict, "The %s %q is another app's; choose another one in package.json", what, host[2:])
	}
	return nil
}

// readOwners reads the bucket of hosts.
func (s *documents) readOwners(tx *bbolt.Tx) error {
	owners := map[string]string{}
	err := tx.Bucket([]byte(bucketHosts)).ForEach(func(host, owner []byte) error {
		owners[string(host)] = string(owner)
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners = owners
	return err
}

// own records what claim has written.
func (s *documents) own(before, after document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, host := range hostsOf(before) {
		delete(s.owners, host)
	}
	for _, host := range hostsOf(after) {
		s.owners[host] = key(after.User, after.Name)
	}
}

// owner returns the app of a host, as "user/app"; "" if it has none.
func (s *documents) owner(host string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.owners[host]
}

// Lookup finds the app that a host belongs to, for the router. The host is
// lower-case and has neither a port nor a trailing dot.
func (a *Apps) Lookup(host string) (user, app string, ok bool) {
	name := "d " + host
	if subdomain, below := strings.CutSuffix(host, "."+a.o.Domain); below {
		name = "s " + subdomain
	}
	return strings.Cut(a.docs.owner(name), "/")
}

// Availability reports whether an app could be created.
type Availability struct {
	Available bool `json:"available"` // both of the others
	AppName   bool `json:"appname"`
	Subdomain bool `json:"subdomain"`
}

// Available reports whether the user could create an app of that name and
// subdomain; if subdomain is empty, the name is used. The subdomain of the user's
// own app of that name counts as free.
func (a *Apps) Available(user, app, subdomain string) (Availability, error) {
	if err := checkName("app", app); err != nil {
		return Availability{}, err
	}
	if subdomain == "" {
		subdomain = app
	}
	if err := checkName("subdomain", subdomain); err != nil {
		return Availability{}, err
	}
	var found Availability
	_, err := a.docs.find(user, app)
	if found.AppName = core.CodeOf(err) == core.CodePlatformAppNotFound; err != nil && !found.AppName {
		return Availability{}, err
	}
	owner := a.docs.owner("s " + subdomain)
	found.Subdomain = a.checkReserved(subdomain+"."+a.o.Domain) == nil && (owner == "" || owner == key(user, app))
	found.Available = found.AppName && found.Subdomain
	return found, nil
}
