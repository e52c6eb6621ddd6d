package sim

import (
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// user is somebody, by one of their tokens.
type user struct {
	login  string
	scopes []string // nil: a fine-grained token, which may do all that its user may
}

// may tells whether the token has one of the scopes.
func (u *user) may(scopes ...string) bool {
	return u.scopes == nil || slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(u.scopes, s) })
}

// AddUser lets token act for login. Scopes are those of a classic token; nil
// makes it a fine-grained one, of which GitHub tells no scopes. A login may
// have any number of tokens; a token that was there changes.
func (s *Server) AddUser(login, token string, scopes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = &user{login: login, scopes: slices.Clone(scopes)}
}

// RevokeToken makes a token worthless.
func (s *Server) RevokeToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// RateLimit sets how many requests login has left in this hour; "" stands for
// those without a token.
func (s *Server) RateLimit(login string, remaining int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rateOf(login).remaining = remaining
}

// rate is what somebody has used of an hour's requests.
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

// spend takes one request from the rate of login and tells how it then stands
// and whether there was one left.
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

func (r rate) write(h http.Header) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(r.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(r.remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(max(r.limit-r.remaining, 0)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(r.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

// authenticate returns whose the request is, nil for nobody's. ok is false
// where it carries a token that is none.
func (s *Server) authenticate(r *http.Request) (who *user, ok bool) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, true
	}
	token := ""
	if _, password, basic := r.BasicAuth(); basic {
		token = password // a token may stand in for the password, a password no longer
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

// idOf returns a number for something named, always the same.
func idOf(kind, name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(kind + "\x00" + strings.ToLower(name)))
	return int64(h.Sum32())
}

func emailOf(login string) string { return login + "@users.noreply.github.com" }
