package api

import (
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

// auth returns the user that the credentials authenticate.
func (a *API) auth(c *call) error {
	answer := map[string]any{"authorized": true, "user": map[string]string{"username": c.who.Username}, "token": c.who.Token}
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

// userFields are the fields of a user in a request.
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

// createUser creates a user; only the service user and admins may. The published
// client adds ssh keys at the same path.
func (a *API) createUser(c *call) error {
	fields, err := c.userFields()
	if !c.who.Service && fields.Username == nil {
		return noKeys()
	}
	if err := c.adminOnly(false); err != nil {
		return err
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

// destroyUser removes the apps first: if it fails halfway, the call can be
// repeated, which it could not without the user.
func (a *API) destroyUser(c *call) error {
	if err := c.clearDeadlines(); err != nil {
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

// setAdmin sets whether a user may add and remove users.
func (a *API) setAdmin(c *call) error {
	var fields struct {
		Admin bool `json:"admin"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	if err := a.o.Accounts.SetAdmin(c.user, fields.Admin); err != nil {
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

// inviteUser creates a code with which a user sets a password. The hosted platform
// sent it by mail; here the operator passes it on.
func (a *API) inviteUser(c *call) error {
	code, err := a.o.Accounts.Invite(c.user)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, map[string]any{"ok": true, "inviteCode": code.Reveal()})
}

// confirmUser verifies a code. The published client then asks for a password,
// which it sends to forgotPassword.
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

// forgotPassword sets a password with a code. Without a code it logs the request
// for the operator. The response does not reveal whether there is such a user.
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
		a.o.Logger.WarnContext(c.ctx(), "invite code requested", "user", user, "address", a.caller(c.r),
			"do", "if the user made the request, send the code of `webhooks users invite`")
	}
	return c.answer(http.StatusOK, map[string]any{"ok": true, "message": "This platform sends no mail: ask its operator for a code, and set a password with it"})
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
