package auth

import (
	"context"
	"errors"
	"net/mail"

	"github.com/nodejitsu/webhooks/core"
)

// minPassword is the length of the shortest password, in characters.
const minPassword = 8

// CheckPassword returns what is wrong with a new password.
func CheckPassword(password core.Secret) error {
	if len([]rune(password.Reveal())) < minPassword {
		return core.Errorf(core.CodeAuthParams, "The password has fewer than %d characters; choose a longer one", minPassword)
	}
	return nil
}

// CheckEmail returns what is wrong with a mail address.
func CheckEmail(email string) error {
	if _, err := mail.ParseAddress(email); err != nil {
		return core.Errorf(core.CodeAuthParams, "Invalid mail address %.100q; send one such as dscape@example.com", email)
	}
	return nil
}

// UpdateUser changes the password and the mail address of a user, each unless it is
// empty. It fails with [core.CodeAuthParams], [core.CodeAccountNotFound] and
// [core.CodeUpdateUserFailed].
func (s *Service) UpdateUser(ctx context.Context, user string, password core.Secret, email string) error {
	if password.IsZero() && email == "" {
		return core.Errorf(core.CodeAuthParams, "Nothing to change; send a password or an email")
	}
	if !password.IsZero() {
		if err := CheckPassword(password); err != nil {
			return err
		}
	}
	if email != "" {
		if err := CheckEmail(email); err != nil {
			return err
		}
	}
	return s.write(ctx, func(ctx context.Context) error { return s.o.Accounts.UpdateUser(ctx, user, password, email) })
}

// write calls change, and returns its failure in words for the user.
func (s *Service) write(ctx context.Context, change func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	err := change(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, core.ErrNotFound):
		return core.NewError(core.CodeAccountNotFound, "", err)
	case core.CodeOf(err) == core.CodePlatformInvalid || core.CodeOf(err) == core.CodePlatformTokenConflict:
		return core.NewError(core.CodeAuthParams, core.AsError(err).Reason, err)
	}
	return core.NewError(core.CodeUpdateUserFailed, "", err)
}

// checkName checks the name of what is added.
func checkName(what, name string) error {
	if err := core.CheckName(what, name); err != nil {
		return core.Errorf(core.CodeAuthParams, "%v", err)
	}
	return nil
}
