package nodejitsu

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

// User is a user of the platform.
type User struct {
	Username string
	Password core.Secret // only sent, never returned
	Email    string
	Admin    bool // only returned; see SetAdmin
	CTime    Time // when it was created
}

// userWire is a User in the API.
type userWire struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Email    string `json:"email,omitempty"`
	Admin    bool   `json:"admin,omitempty"`
	CTime    *Time  `json:"ctime,omitempty"`
}

func (u User) wire() userWire {
	return userWire{Username: u.Username, Password: u.Password.Reveal(), Email: u.Email}
}

func (w userWire) user() User {
	u := User{Username: w.Username, Email: w.Email, Admin: w.Admin}
	if w.CTime != nil {
		u.CTime = *w.CTime
	}
	return u
}

// Auth verifies the credentials as, instead of those of Options. It returns the
// account with the name in the user's document, or "" if it has none. If the
// credentials are wrong it fails with core.ErrUnauthorized.
func (c *Client) Auth(ctx context.Context, as core.Credentials) (core.Account, error) {
	var answer struct {
		User  json.RawMessage `json:"user"`
		Token bool            `json:"token"` // an extension: they are an API token
	}
	if err := c.call(ctx, request{doing: "authenticate", method: http.MethodGet, path: []string{"auth"}, as: &as}, &answer); err != nil {
		return core.Account{}, err
	}
	account := core.Account{Username: as.Username, Token: answer.Token}
	if answer.User == nil {
		return account, nil // the response says only that they are valid
	}
	var user userWire
	if json.Unmarshal(answer.User, &user) != nil {
		user.Username = ""
	}
	account.Username = user.Username
	return account, nil
}

// Users returns all users by name. Only [core.ServiceUser] and admins may call it,
// and only the embedded platform supports it.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	var answer struct {
		Users []userWire `json:"users"`
	}
	if err := c.call(ctx, request{doing: "list users", method: http.MethodGet, path: []string{"users"}}, &answer); err != nil {
		return nil, err
	}
	users := make([]User, 0, len(answer.Users))
	for _, w := range answer.Users {
		users = append(users, w.user())
	}
	return users, nil
}

// User returns a user's document.
func (c *Client) User(ctx context.Context, username string) (User, error) {
	var answer struct {
		userWire
		User *userWire `json:"user"`
	}
	if err := c.call(ctx, request{doing: "read user", method: http.MethodGet, path: []string{"users", username}}, &answer); err != nil {
		return User{}, err
	}
	if answer.User != nil {
		return answer.User.user(), nil
	}
	return answer.user(), nil
}

// CreateUser creates a user.
func (c *Client) CreateUser(ctx context.Context, u User) error {
	return c.call(ctx, request{doing: "create user", method: http.MethodPost, path: []string{"users", u.Username}, body: u.wire()}, nil)
}

// UpdateUser changes the password and the email of a user, each if it is not empty.
func (c *Client) UpdateUser(ctx context.Context, u User) error {
	return c.call(ctx, request{doing: "update user", method: http.MethodPut, path: []string{"users", u.Username}, body: u.wire()}, nil)
}

// SetAdmin sets whether a user may add and remove users. Only [core.ServiceUser] and
// admins may call it, and only the embedded platform supports it.
func (c *Client) SetAdmin(ctx context.Context, username string, admin bool) error {
	return c.call(ctx, request{doing: "update user", method: http.MethodPost, path: []string{"users", username, "admin"}, body: map[string]bool{"admin": admin}}, nil)
}

// SetPassword sets the password of a user with a code of InviteUser. It needs no
// credentials.
func (c *Client) SetPassword(ctx context.Context, username string, code, password core.Secret) error {
	body := map[string]string{"shake": code.Reveal(), "new-password": password.Reveal()}
	return c.call(ctx, request{doing: "set password", method: http.MethodPost, path: []string{"users", username, "forgot"}, body: body}, nil)
}

// InviteUser returns a code with which a user can set a password once, within a
// day. Only [core.ServiceUser] and admins may call it, and only the embedded
// platform supports it.
func (c *Client) InviteUser(ctx context.Context, username string) (code core.Secret, err error) {
	var answer struct {
		InviteCode core.Secret `json:"inviteCode"`
	}
	err = c.call(ctx, request{doing: "invite user", method: http.MethodPost, path: []string{"users", username, "invite"}, body: struct{}{}}, &answer)
	return answer.InviteCode, err
}

// DestroyUser removes a user with all apps and tokens.
func (c *Client) DestroyUser(ctx context.Context, username string) error {
	return c.call(ctx, request{doing: "destroy user", method: http.MethodDelete, path: []string{"users", username}}, nil)
}

// UserAvailable reports whether a new user could have that name.
func (c *Client) UserAvailable(ctx context.Context, username string) (bool, error) {
	var answer struct {
		Available bool `json:"available"`
	}
	err := c.call(ctx, request{doing: "look for user", method: http.MethodGet, path: []string{"users", username, "available"}}, &answer)
	return answer.Available, err
}
