package dashboard

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

const (
	cookieSession = "webhooks-session"
	cookieForm    = "webhooks-form" // what the token of the form for signing in belongs to

	// sessionTime is how long a session lasts if it is not used. One that is used
	// in the second half of that time is extended.
	sessionTime = 12 * time.Hour
)

// session is what the cookie of a signed-in browser has, sealed. It includes the
// credentials, which are verified again for each page: so a session ends when the
// password is changed or the account removed, on every server, and no server keeps
// a list of sessions.
type session struct {
	ID       string    `json:"id"`
	User     string    `json:"user"`
	Password string    `json:"password"`
	Until    time.Time `json:"until"`
}

func (s session) credentials() *core.Credentials {
	return &core.Credentials{Username: s.User, Password: core.NewSecret(s.Password)}
}

// aead returns what seals sessions.
func (d *Dashboard) aead() (cipher.AEAD, error) {
	key, err := d.key("session")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// openSession returns the session of a request's cookie; ok is false if there is
// none that is valid.
func (d *Dashboard) openSession(r *http.Request) (s session, ok bool) {
	cookie, err := r.Cookie(d.cookieName(r, cookieSession))
	if err != nil {
		return session{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return session{}, false
	}
	aead, err := d.aead()
	if err != nil {
		return session{}, false
	}
	text, err := aead.Open(nil, nil, sealed, nil)
	if err != nil || json.Unmarshal(text, &s) != nil || !d.o.Now().Before(s.Until) {
		return session{}, false
	}
	return s, true
}

// keepSession sets the cookie of a session, from now on.
func (d *Dashboard) keepSession(w http.ResponseWriter, r *http.Request, s session) error {
	s.Until = d.o.Now().Add(sessionTime)
	text, err := json.Marshal(s) //nolint:gosec // it is sealed below
	if err != nil {
		return err
	}
	aead, err := d.aead()
	if err != nil {
		return err
	}
	sealed := aead.Seal(nil, nil, text, nil) //nolint:gosec // the AEAD chooses a random nonce
	d.setCookie(w, r, cookieSession, base64.RawURLEncoding.EncodeToString(sealed), sessionTime)
	return nil
}

// cookieName returns the name of a cookie. With TLS it has a prefix that keeps other
// hosts of the same domain, such as the apps, from setting it.
func (d *Dashboard) cookieName(r *http.Request, name string) string {
	if d.secure(r) {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie; a negative age removes it.
func (d *Dashboard) setCookie(w http.ResponseWriter, r *http.Request, name, value string, age time.Duration) {
	seconds := int(age / time.Second)
	if age < 0 {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure with TLS; without it browsers would drop the cookie
		Name: d.cookieName(r, name), Value: value, Path: "/", MaxAge: seconds,
		Secure: d.secure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// User returns the user who is signed in, "" if there is none. It fails if that
// could not be found out.
func (d *Dashboard) User(r *http.Request) (string, error) {
	s, ok := d.openSession(r)
	if !ok {
		return "", nil
	}
	account, err := d.verify(r.Context(), s)
	return account.Username, err
}

// verify returns the account of a session whose credentials are still valid, else
// the zero Account.
func (d *Dashboard) verify(ctx context.Context, s session) (core.Account, error) {
	account, err := d.o.Auth.Authenticate(ctx, s.credentials())
	if core.CodeOf(err) == core.CodeUnauthorized {
		return core.Account{}, nil
	}
	return account, err
}

// userKey is the context key of the [visit].
type userKey struct{}

// visit is who sees a page.
type visit struct {
	user    string
	byToken bool   // the session began with an API token, not with the password
	token   string // of the forms on the page
}

func visitOf(r *http.Request) visit {
	v, _ := r.Context().Value(userKey{}).(visit)
	return v
}

// signedIn returns h as a handler for those who are signed in. Others are sent to
// the page for that. The forms of h are checked for their token.
func (d *Dashboard) signedIn(h handler) http.HandlerFunc {
	return d.page(func(w http.ResponseWriter, r *http.Request) error {
		s, ok := d.openSession(r)
		var account core.Account
		if ok {
			var err error
			if account, err = d.verify(r.Context(), s); err != nil {
				return err
			}
		}
		if account.Username == "" {
			return askToSignIn(w, r)
		}
		token, err := d.formToken(s.ID)
		if err != nil {
			return err
		}
		r = r.WithContext(context.WithValue(r.Context(), userKey{}, visit{user: account.Username, byToken: account.Token, token: token}))
		if err := d.checkForm(r, token); err != nil {
			return err
		}
		if s.Until.Sub(d.o.Now()) < sessionTime/2 {
			if err := d.keepSession(w, r, s); err != nil {
				return err
			}
		}
		if err := h(w, r); err != nil {
			d.showError(w, r, err) // here, so that the page has the user's navigation
		}
		return nil
	})
}

// formToken returns the token of the forms that belong to a session, or to the
// value of another cookie.
func (d *Dashboard) formToken(of string) (string, error) {
	key, err := d.key("form")
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(of)) // never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// checkForm fails if a request changes something and does not come from a form of
// ours: it has the form's token, and its headers name no other site.
func (d *Dashboard) checkForm(r *http.Request, token string) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if err := d.cross.Check(r); err != nil {
		return errForm
	}
	if !hmac.Equal([]byte(r.PostFormValue("token")), []byte(token)) {
		return errForm
	}
	return nil
}

// formCookie returns the token of the form for signing in. It belongs to a cookie,
// which is set unless it is there.
func (d *Dashboard) formCookie(w http.ResponseWriter, r *http.Request) (string, error) {
	if cookie, err := r.Cookie(d.cookieName(r, cookieForm)); err == nil && cookie.Value != "" {
		return d.formToken(cookie.Value)
	}
	value := rand.Text()
	d.setCookie(w, r, cookieForm, value, sessionTime)
	return d.formToken(value)
}
