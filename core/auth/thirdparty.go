package auth

import (
	"context"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// tokens returns the user's third-party tokens.
func (s *Service) tokens(ctx context.Context, user string) ([]core.ThirdPartyToken, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	tokens, err := s.o.Accounts.Tokens(ctx, user, true)
	if err != nil {
		return nil, core.NewError(core.CodeGetUserFailed, "", err)
	}
	return tokens, nil
}

// tokensOf returns those of one provider by ID.
func (s *Service) tokensOf(ctx context.Context, user, provider string) ([]core.ThirdPartyToken, error) {
	all, err := s.tokens(ctx, user)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(slices.Clone(all), func(t core.ThirdPartyToken) bool { return t.Provider != provider })
	slices.SortFunc(found, func(a, b core.ThirdPartyToken) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}

// token returns one of them.
func (s *Service) token(ctx context.Context, user, provider, id string) (core.ThirdPartyToken, error) {
	tokens, err := s.tokensOf(ctx, user, provider)
	if err != nil {
		return core.ThirdPartyToken{}, err
	}
	for _, t := range tokens {
		if t.ID == id {
			return t, nil
		}
	}
	return core.ThirdPartyToken{}, core.NewError(core.CodeAccountNotFound, "", nil)
}

// add stores a token; what it is is named in messages. It replaces nothing of
// another provider, and nothing at all unless replace is set.
func (s *Service) add(ctx context.Context, user, what string, t core.ThirdPartyToken, replace bool) error {
	if err := checkName(what, t.ID); err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	tokens, err := s.tokens(ctx, user)
	if err != nil {
		return err
	}
	for _, other := range tokens {
		if other.ID == t.ID && (!replace || other.Provider != t.Provider) {
			return core.NewError(core.CodeAccountConflict, "", nil)
		}
	}
	return s.write(ctx, func(ctx context.Context) error { return s.o.Accounts.SetToken(ctx, user, t) })
}

// remove removes a token of a provider.
func (s *Service) remove(ctx context.Context, user, provider, id string) error {
	if _, err := s.token(ctx, user, provider, id); err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context) error { return s.o.Accounts.RemoveToken(ctx, user, id) })
}
