package sim

import (
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// user is a user with one of their tokens.
type user struct {
	login  string
	scopes []string // nil: a fine-grained token, with all permissions of its user
}

// may reports whether the token has one of the scopes.
func (u *user) may(scopes ...string) bool {
	return u.scopes == nil || slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(u.scopes, s) })
}

// AddUser adds a token of login. Scopes are those of a classic token; with nil it is
// a fine-grained one, for which GitHub sends no scopes. A login may have any number
// of tokens. A token that exists is replaced.
func (s *Server) AddUser(login, token string, scopes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = &user{login: login, scopes: slices.Clone(scopes)}
}

// RevokeToken removes a token.
func (s *Server) RevokeToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// RateLimit sets the number of requests that login has left in this hour; "" is for
// requests without a token.
func (s *Server) RateLimit(login string, remaining int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rateOf(login).remaining = remaining
}

// rate counts the requests of a user in an hour.
type rate struct {
	limit, remaining int
	reset            time.Time
}

// rateOf returns the rate of this hour. s.mu is held.
func (s *Server) rateOf(login string) *rate {
	key := strings.ToLower(login)
	now := s.options.Now()
	r := s.rates[key]
	if r == nil || !now.Before(r.reset) {
		limit := hourlyLimit
		if login == "" {
			limit = s.options.AnonymousLimit
		}
		r = &rate{limit: limit, remaining: limit, reset: now.Add(time.Hour).Truncate(time.Second)}
		s.rates[key] = r
	}
	return r
}

// spend counts one request of login. It returns the rate after it, and whether the
// request is within the limit.
func (s *Server) spend(login string, cost int) (rate, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rateOf(login)
	left := r.remaining >= cost
	if left {
		r.remaining -= cost
	}
	return *r, left
}

// unspend takes back what a request of login cost, and corrects the headers.
func (s *Server) unspend(login string, h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rateOf(login)
	r.remaining++
	r.write(h)
}

func (r rate) write(h http.Header) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(r.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(r.remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(max(r.limit-r.remaining, 0)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(r.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

// authenticate returns the user of a request, nil for an anonymous one. ok is false
// if the request has an unknown token.
func (s *Server) authenticate(r *http.Request) (who *user, ok bool) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, true
	}
	token := ""
	if _, password, basic := r.BasicAuth(); basic {
		token = password // GitHub accepts a token as the password, but no password
	} else if scheme, rest, found := strings.Cut(header, " "); found &&
		(strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "token")) {
		token = rest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, ok = s.tokens[token]
	return who, ok
}

// userJSON is the short form of a user.
type userJSON struct {
	Name      string `json:"name,omitempty"`  // in a push only
	Email     string `json:"email,omitempty"` // in a push only
	Login     string `json:"login"`
	ID        int64  `json:"id"`
	NodeID    string `json:"node_id"`
	AvatarURL string `json:"avatar_url"`
	URL       string `json:"url"`
	HTMLURL   string `json:"html_url"`
	ReposURL  string `json:"repos_url"`
	Type      string `json:"type"`
	SiteAdmin bool   `json:"site_admin"`
}

func (s *Server) userJSON(login string) userJSON {
	id := idOf("user", login)
	return userJSON{
		Login: login, ID: id, NodeID: "U_" + strconv.FormatInt(id, 36),
		AvatarURL: "https://avatars.githubusercontent.com/u/" + strconv.FormatInt(id, 10) + "?v=4",
		URL:       s.URL() + "users/" + login,
		HTMLURL:   s.options.WebURL + "/" + login,
		ReposURL:  s.URL() + "users/" + login + "/repos",
		Type:      "User",
	}
}

// idOf returns a number for a name, always the same one.
func idOf(kind, name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(kind + "\x00" + strings.ToLower(name)))
	return int64(h.Sum32())
}

func emailOf(login string) string { return login + "@users.noreply.github.com" }
