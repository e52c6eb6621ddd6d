package deploy

import (
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// checkForge returns an error if the repository of an event is not on one of the
// forges that are deployed from. A repository of the same name on another forge is
// another repository. An event without a repository has nothing to deploy.
func (s *Service) checkForge(r core.Repository) error {
	switch {
	case r.Name == "" || slices.Contains(s.o.Forges, r.Forge):
		return nil
	case r.Forge == "":
		return core.Errorf(core.CodeProviderNotSupported,
			"The payload does not say on which forge the repository %s is; update the sender, so that it sends the repository's address", r.Slug())
	}
	return core.Errorf(core.CodeProviderNotSupported,
		"The repository %s is on %s, and this server deploys from %s; remove the webhook, or ask the operator of this server to add that forge",
		r.Slug(), r.Forge, strings.Join(s.o.Forges, ", "))
}
