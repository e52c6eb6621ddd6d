package dashboard

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/internal/login"
)

// signInPage is what the page for signing in shows.
type signInPage struct {
	Next, User string
	Failure    string
}

// askToSignIn sends the browser to the page for signing in, and then back. What was
// not sent by GET has to be sent again.
func askToSignIn(w http.ResponseWriter, r *http.Request) error {
	next := "/"
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	target := "/-/sign-in"
	if next != "/" {
		target += "?next=" + url.QueryEscape(next)
	}
	return redirect(w, r, target)
}

func (d *Dashboard) showSignIn(w http.ResponseWriter, r *http.Request) error {
	next := nextPage(r.URL.Query().Get("next"))
	if user, err := d.User(r); err == nil && user != "" {
		return redirect(w, r, next)
	}
	return d.renderSignIn(w, r, http.StatusOK, signInPage{Next: next})
}

func (d *Dashboard) renderSignIn(w http.ResponseWriter, r *http.Request, code int, p signInPage) error {
	token, err := d.formCookie(w, r)
	if err != nil {
		return err
	}
	r = r.WithContext(context.WithValue(r.Context(), userKey{}, visit{token: token}))
	return d.render(w, r, code, "sign-in", "Sign in", p)
}

// signIn begins a session.
func (d *Dashboard) signIn(w http.ResponseWriter, r *http.Request) error {
	token, err := d.formCookie(w, r)
	if err != nil {
		return err
	}
	if err := d.checkForm(r, token); err != nil {
		return err
	}
	s := session{ID: rand.Text(), User: strings.TrimSpace(r.PostFormValue("user")), Password: r.PostFormValue("password")}
	next := nextPage(r.PostFormValue("next"))
	err = login.Throttled(r.Context(), d.o.Logins, d.o.Proxies.ThrottleAddr(r), *s.credentials(), func(ctx context.Context) error {
		account, err := d.o.Auth.Authenticate(ctx, s.credentials())
		s.User = account.Username
		return err
	})
	if err != nil {
		code, failure := http.StatusUnprocessableEntity, core.AsError(err)
		switch failure.Code {
		case core.CodeUnauthorized:
		case core.CodeHTTPTooManyTries:
			code = http.StatusTooManyRequests
			w.Header().Set("Retry-After", retryAfter(failure))
		default:
			return err
		}
		return d.renderSignIn(w, r, code, signInPage{Next: next, User: r.PostFormValue("user"), Failure: signInFailure(failure)})
	}
	if err := d.keepSession(w, r, s); err != nil {
		return err
	}
	d.setCookie(w, r, cookieForm, "", -1)
	d.o.Logger.InfoContext(r.Context(), "signed in", "user", s.User, "uuid", w.Header().Get("X-Api-Uuid"))
	return redirect(w, r, next)
}

func signInFailure(failure *core.Error) string {
	if failure.Code == core.CodeHTTPTooManyTries {
		return "There were too many wrong passwords. Try again in " + retryAfter(failure) + " seconds."
	}
	return "The user name or the password is wrong."
}

// signOut ends the session of this browser.
func (d *Dashboard) signOut(w http.ResponseWriter, r *http.Request) error {
	if s, ok := d.openSession(r); ok {
		token, err := d.formToken(s.ID)
		if err != nil {
			return err
		}
		if err := d.checkForm(r, token); err != nil {
			return err
		}
	}
	d.setCookie(w, r, cookieSession, "", -1)
	return redirect(w, r, "/-/sign-in")
}

// nextPage returns the page of ours that next names, else the first one.
func nextPage(next string) string {
	if !strings.HasPrefix(next, Prefix) || strings.HasPrefix(next, PathFeed) || strings.Contains(next, "..") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}
