package sim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// apiHandler serves the API.
func (s *Server) apiHandler() http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /user", s.getUser)
	api.HandleFunc("GET /rate_limit", s.getRateLimit)
	api.HandleFunc("GET /repos/{owner}/{repo}", s.on(s.getRepository))
	api.HandleFunc("GET /repos/{owner}/{repo}/contents", s.on(s.getContents))
	api.HandleFunc("GET /repos/{owner}/{repo}/contents/{path...}", s.on(s.getContents))
	api.HandleFunc("GET /repos/{owner}/{repo}/tarball", s.on(s.getTarball))
	api.HandleFunc("GET /repos/{owner}/{repo}/tarball/{ref...}", s.on(s.getTarball))
	api.HandleFunc("POST /repos/{owner}/{repo}/statuses/{sha}", s.on(s.postStatus))
	api.HandleFunc("GET /repos/{owner}/{repo}/statuses/{ref...}", s.on(s.getStatuses))
	api.HandleFunc("GET /repos/{owner}/{repo}/commits/{ref}/statuses", s.on(s.getStatuses))
	api.HandleFunc("GET /repos/{owner}/{repo}/commits/{ref}/status", s.on(s.getCombinedStatus))
	api.HandleFunc("GET /repos/{owner}/{repo}/actions/runs", s.on(s.getRuns))
	api.HandleFunc("GET /repos/{owner}/{repo}/deployments", s.on(s.getDeployments))
	api.HandleFunc("POST /repos/{owner}/{repo}/deployments", s.on(s.postDeployment))
	api.HandleFunc("POST /repos/{owner}/{repo}/deployments/{id}/statuses", s.on(s.postDeploymentStatus))
	s.hookRoutes(api)
	api.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })

	root := http.NewServeMux()
	root.Handle("/", s.watch(false, s.guard(api)))
	root.HandleFunc("POST "+PushedPath, s.postPushed)
	return root
}

type userKey struct{}

// viewer returns the user of a request; nil for an anonymous one.
func viewer(ctx context.Context) *user {
	who, _ := ctx.Value(userKey{}).(*user)
	return who
}

// guard does what GitHub does before it looks at the path: credentials, then
// the rate limit.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Server", "githubsim")
		h.Set("X-GitHub-Request-Id", strings.ToUpper(newGUID()))
		h.Set("X-GitHub-Media-Type", "github.v3; format=json")
		h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
		who, ok := s.authenticate(r)
		if !ok {
			refuse(w, http.StatusUnauthorized, "Bad credentials")
			return
		}
		login, cost := "", 1
		if who != nil {
			login = who.login
			if who.scopes != nil {
				h.Set("X-OAuth-Scopes", strings.Join(who.scopes, ", "))
				h.Set("X-Accepted-OAuth-Scopes", "")
			}
		}
		if r.URL.Path == "/rate_limit" { // costs nothing (docs.github.com, "Rate limits for the REST API")
			cost = 0
		}
		rate, left := s.spend(login, cost)
		rate.write(h)
		if !left {
			refuse(w, http.StatusForbidden, "API rate limit exceeded for "+r.RemoteAddr+".")
			return
		}
		if r.Method == http.MethodGet && login != "" {
			w = &conditional{ResponseWriter: w, match: r.Header.Get("If-None-Match"), unspend: func() { s.unspend(login, h) }}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, who)))
	})
}

// on finds the repository of the path. One that the viewer may not read is not
// found.
func (s *Server) on(handle func(http.ResponseWriter, *http.Request, *repository)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		repo, err := s.find(r.PathValue("owner"), r.PathValue("repo"))
		if err != nil || !s.reads(viewer(r.Context()), repo) {
			notFound(w)
			return
		}
		handle(w, r, repo)
	}
}

func (s *Server) getUser(w http.ResponseWriter, r *http.Request) {
	who := viewer(r.Context())
	if who == nil {
		refuse(w, http.StatusUnauthorized, "Requires authentication")
		return
	}
	writeJSON(w, http.StatusOK, s.userJSON(who.login))
}

func (s *Server) getRateLimit(w http.ResponseWriter, r *http.Request) {
	login := ""
	if who := viewer(r.Context()); who != nil {
		login = who.login
	}
	rate, _ := s.spend(login, 0)
	core := map[string]any{
		"limit": rate.limit, "remaining": rate.remaining, "used": max(rate.limit-rate.remaining, 0),
		"reset": rate.reset.Unix(), "resource": "core",
	}
	writeJSON(w, http.StatusOK, map[string]any{"resources": map[string]any{"core": core}, "rate": core})
}

func (s *Server) getRepository(w http.ResponseWriter, r *http.Request, repo *repository) {
	answer, err := s.repositoryJSON(r.Context(), repo)
	if err != nil {
		s.broken(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// PushedPath is the path at which a post-receive hook notifies the API of a push,
// with the parameter repository=OWNER/NAME; see [Server.Pushed].
const PushedPath = "/_sim/pushed"

// PushedAnswer is the part of the answer about one delivery.
type PushedAnswer struct {
	Event  string `json:"event"`
	Ref    string `json:"ref"`
	URL    string `json:"url"`
	GUID   string `json:"guid"`
	Status int    `json:"status"` // 0 where no answer came
	Error  string `json:"error,omitempty"`
}

func (s *Server) postPushed(w http.ResponseWriter, r *http.Request) {
	owner, name, _ := strings.Cut(r.URL.Query().Get("repository"), "/")
	deliveries, err := s.Pushed(r.Context(), owner, name)
	if errors.Is(err, core.ErrNotFound) {
		notFound(w)
		return
	} else if err != nil {
		s.broken(w, err)
		return
	}
	answers := []PushedAnswer{}
	for _, d := range deliveries {
		one := PushedAnswer{Event: d.Event, Ref: d.Ref, URL: bareURL(d.URL), GUID: d.GUID, Status: d.Status}
		if d.Err != nil {
			one.Error = d.Err.Error()
		}
		answers = append(answers, one)
	}
	writeJSON(w, http.StatusOK, answers)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"message":"Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has left, or reads it
}

// refuse answers with an error in the form of GitHub.
func refuse(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	})
}

// invalid answers 422 with what is wrong with a field.
func invalid(w http.ResponseWriter, resource, field, code string) {
	writeJSON(w, http.StatusUnprocessableEntity, map[string]any{
		"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest", "status": "422",
		"errors": []map[string]string{{"resource": resource, "field": field, "code": code}},
	})
}

func notFound(w http.ResponseWriter) { refuse(w, http.StatusNotFound, "Not Found") }

func (s *Server) broken(w http.ResponseWriter, err error) {
	s.options.Logger.Error("request failed", "error", err)
	refuse(w, http.StatusInternalServerError, "Server Error")
}
