package apps

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/nodejitsu/webhooks/core"
)

// sealed is an environment as it is stored; "" is an empty one.
type sealed string

// sealedFor is what an app's environments are sealed for.
func sealedFor(user, app string) string { return "environment of " + key(user, app) }

// sealEnv seals an environment of an app.
func (s *documents) sealEnv(user, app string, env map[string]string) (sealed, error) {
	if len(env) == 0 {
		return "", nil
	}
	text, err := json.Marshal(env)
	if err != nil {
		return "", err
	}
	return sealed(s.seal.Seal(core.NewSecret(string(text)), sealedFor(user, app))), nil
}

// openEnv opens environments of an app, later ones over earlier ones. The map is
// never nil.
func (s *documents) openEnv(d document, all ...sealed) (map[string]string, error) {
	env := map[string]string{}
	for _, one := range all {
		if one == "" {
			continue
		}
		text, err := s.seal.Open(string(one), sealedFor(d.User, d.Name))
		if err != nil {
			return map[string]string{}, fmt.Errorf("apps: the environment of %s: %w", key(d.User, d.Name), err)
		}
		if err := json.Unmarshal([]byte(text.Reveal()), &env); err != nil {
			return map[string]string{}, fmt.Errorf("apps: the environment of %s is damaged: %w", key(d.User, d.Name), err)
		}
	}
	return env, nil
}

// setEnv sets the environment that people set. Variables with the same value as in
// the package.json of the next snapshot are left out.
func (s *documents) setEnv(d *document, env map[string]string) error {
	next, _ := d.next()
	given, err := s.openEnv(*d, next.Package.Env)
	if err != nil {
		return err
	}
	own := maps.Clone(env)
	maps.DeleteFunc(own, func(name, value string) bool {
		known, ok := given[name]
		return ok && known == value
	})
	d.Set.Env, err = s.sealEnv(d.User, d.Name, own)
	return err
}

// Reseal seals with the first key what another key had sealed, so that the other
// key can be removed. It returns the number of apps that it resealed. Environments
// that can't be opened are left unchanged, and the error lists them.
func (a *Apps) Reseal() (resealed int, err error) {
	all, err := a.docs.all("")
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, d := range all {
		if !a.docs.stale(&d) {
			continue
		}
		_, err := a.docs.update(d.User, d.Name, func(d *document) error {
			for _, env := range environments(d) {
				opened, err := a.docs.openEnv(*d, *env)
				if err != nil {
					return err
				}
				if *env, err = a.docs.sealEnv(d.User, d.Name, opened); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			faults = append(faults, err)
			continue
		}
		resealed++
	}
	return resealed, errors.Join(faults...)
}

// stale reports whether another key than the first sealed something of d.
func (s *documents) stale(d *document) bool {
	for _, env := range environments(d) {
		if *env != "" && !s.seal.Current(string(*env)) {
			return true
		}
	}
	return false
}

// environments returns all of a document's.
func environments(d *document) []*sealed {
	all := []*sealed{&d.Set.Env}
	for i := range d.Snapshots {
		all = append(all, &d.Snapshots[i].Env, &d.Snapshots[i].Package.Env)
	}
	for _, v := range d.visibles() {
		if v.Running != nil {
			all = append(all, &v.Running.Env)
		}
	}
	return all
}
