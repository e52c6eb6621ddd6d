package api

import (
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

// auth tells whose the credentials are.
func (a *API) auth(c *call) error {
	answer := map[string]any{"authorized": true, "user": map[string]string{"username": c.who.Username}}
	return c.answer(http.StatusOK, answer)
}

func (a *API) listUsers(c *call) error {
	users, err := a.o.Accounts.List()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"users": users})
}

func (a *API) viewUser(c *call) error {
	user, err := a.o.Accounts.Find(c.user)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, user)
}

// userFields are what a caller says of a user.
type userFields struct {
	Username *string `json:"username"`
	Password string  `json:"password"`
	Email    string  `json:"email"`
}

func (c *call) userFields() (fields userFields, err error) {
	if err := c.read(&fields); err != nil {
		return userFields{}, err
	}
	if fields.Username != nil && *fields.Username != c.user {
		return userFields{}, core.Errorf(core.CodePlatformInvalid, "The field username must be the path's; a user can't be renamed")
	}
	return fields, nil
}

// createUser makes a user, for the service user alone. The published client
// adds ssh keys by the same path.
func (a *API) createUser(c *call) error {
	fields, err := c.userFields()
	if !c.who.Service {
		if fields.Username == nil {
			return noKeys()
		}
		return operatorOnly()
	}
	if err != nil {
		return err
	}
	if err := a.o.Accounts.Create(c.ctx(), c.user, core.NewSecret(fields.Password), fields.Email); err != nil {
		return err
	}
	return c.answer(http.StatusCreated, map[string]any{"ok": true, "id": c.user})
}

func (a *API) updateUser(c *call) error {
	fields, err := c.userFields()
	if err != nil {
		return err
	}
	if err := a.o.Accounts.Update(c.ctx(), c.user, core.NewSecret(fields.Password), fields.Email); err != nil {
		return err
	}
	return c.done()
}

// destroyUser removes the apps first: a user without them can be removed
// again, but apps without their user could not.
func (a *API) destroyUser(c *call) error {
	if err := c.patient(); err != nil {
		return err
	}
	if err := a.o.Apps.DestroyAll(c.ctx(), c.user); err != nil {
		return err
	}
	if err := a.o.Accounts.Destroy(c.user); err != nil {
		return err
	}
	return c.done()
}

func (a *API) userAvailable(c *call) error {
	_, err := a.o.Accounts.Find(c.user)
	if err != nil && core.CodeOf(err) != core.CodePlatformUserNotFound {
		return err
	}
	return c.answer(http.StatusOK, map[string]bool{"available": err != nil})
}

// inviteUser makes the code by which a user sets a password. The hosted platform
// sent it by mail; here the operator passes it on.
func (a *API) inviteUser(c *call) error {
	code, err := a.o.Accounts.Invite(c.user)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, map[string]any{"ok": true, "inviteCode": code.Reveal()})
}

// confirmUser tells the published client whether a code holds, and has it ask
// for a password then, which it sends to forgotPassword.
func (a *API) confirmUser(c *call) error {
	var fields struct {
		InviteCode core.Secret `json:"inviteCode"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	user := c.r.PathValue("user")
	if err := a.o.Accounts.Invited(user, fields.InviteCode); err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"ok": true, "username": user, "hasPassword": false, "shake": fields.InviteCode.Reveal()})
}

// forgotPassword sets a password by a code. Without one it tells the operator
// who asks for it; whether there is such a user is nobody's to know.
func (a *API) forgotPassword(c *call) error {
	var fields struct {
		Shake    core.Secret `json:"shake"`
		Password core.Secret `json:"new-password"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	user := c.r.PathValue("user")
	if !fields.Shake.IsZero() {
		if err := a.o.Accounts.Redeem(c.ctx(), user, fields.Shake, fields.Password); err != nil {
			return err
		}
		return c.done()
	}
	if _, err := a.o.Accounts.Find(user); err == nil {
		a.o.Logger.WarnContext(c.ctx(), "a user can't get in", "user", user, "address", a.caller(c.r),
			"do", "if that was the user, pass on the code of `webhooks users invite`")
	}
	return c.answer(http.StatusOK, map[string]any{"ok": true, "message": "This platform sends no mail: ask its operator for a code, and set a password with that"})
}

func (a *API) emailTaken(c *call) error {
	var fields struct {
		Email string `json:"email"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	taken, err := a.o.Accounts.EmailTaken(fields.Email)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]bool{"taken": taken})
}
