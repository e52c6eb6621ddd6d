package api

import (
	"net/http"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/problem"
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
		return userFields{}, problem.New(problem.Invalid, "invalid", "The field username must be the path's; a user can't be renamed")
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
	if err := a.o.Accounts.Create(c.ctx(), c.user, core.Secret(fields.Password), fields.Email); err != nil {
		return err
	}
	return c.answer(http.StatusCreated, map[string]any{"ok": true, "id": c.user})
}

func (a *API) updateUser(c *call) error {
	fields, err := c.userFields()
	if err != nil {
		return err
	}
	if err := a.o.Accounts.Update(c.ctx(), c.user, core.Secret(fields.Password), fields.Email); err != nil {
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
	if err != nil && !problem.Is(err, problem.NotFound) {
		return err
	}
	return c.answer(http.StatusOK, map[string]bool{"available": err != nil})
}

// noMail answers what the hosted platform did by mail, for somebody who can't
// get in.
func (a *API) noMail(*call) error {
	return problem.New(problem.Missing, "missing", "This platform sends no mail. Its operator adds users and sets their passwords, with the command `webhooks users`")
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
