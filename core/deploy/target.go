package deploy

import (
	"context"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// target returns what a delivery asks for. No signature covers a URL, so whoever
// captured a signed delivery could send it to another one: what the deliveries of a
// secret ask for is fixed by the first of them. With credentials the URL counts as
// it is. A report that only its provider signed can release a push, and nothing else.
func (s *Service) target(ctx context.Context, r Request, from sender) (core.Target, error) {
	if err := s.checkGate(r.Target.Gate); err != nil {
		return core.Target{}, err
	}
	switch {
	case from.attended:
		return r.Target, nil
	case from.secret == "":
		return core.Target{}, nil
	}
	fixed := from.target
	if fixed == nil {
		ctx, cancel := context.WithTimeout(ctx, s.AuthTimeout)
		defer cancel()
		first, err := s.Accounts.FixTarget(ctx, from.user, from.secret, r.Target)
		if err != nil {
			return core.Target{}, core.NewError(core.CodeAuthServerDown, "", err)
		}
		fixed = &first
	}
	if !r.Target.IsZero() && !r.Target.Equal(*fixed) {
		return core.Target{}, core.Errorf(core.CodeTargetFixed,
			"%s: the URL asks for %s, and the secret %q is for %s. %s",
			core.Reason(core.CodeTargetFixed), r.Target, from.secret, *fixed, core.Remedy(core.CodeTargetFixed))
	}
	return *fixed, nil
}

// checkGate returns an error if there is no such gate, and if what it names can't be
// names of checks.
func (s *Service) checkGate(asked string) error {
	if s.hasGate(asked) {
		return nil
	}
	_, err := parseGate(asked)
	return err
}

// hasGate reports whether there is a gate of that name.
func (e *engine) hasGate(name string) bool {
	return slices.ContainsFunc(e.Gates, func(g Gate) bool { return g.Name() == name })
}
