package sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Request is a request to the Server.
type Request struct {
	Method, Path  string // the path without the query
	Query         string
	Host          string // as the client called the server
	Archive       bool   // it was for the archive host
	Authorization bool   // it had an Authorization header
	Login         string // of the user of the token
	Status        int    // of the answer; 0 before there is one, or if it was cut
}

// Requests returns all requests, in the order in which they came, except those to
// [PushedPath].
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.requests))
	for i, r := range s.requests {
		all[i] = *r
	}
	return all
}

// Match reports whether a request is meant.
type Match func(r *http.Request) bool

// Matching matches the requests of a method whose path contains part; "" is any.
func Matching(method, part string) Match {
	return func(r *http.Request) bool {
		return (method == "" || r.Method == method) && strings.Contains(r.URL.Path, part)
	}
}

type fault struct {
	match  Match
	left   int
	status int
	header http.Header
}

// Fail answers the next n requests that match with a status and with headers, which
// replace the usual ones. Status 0 cuts the connection instead, within the first
// KiB of the usual answer. It applies to the API and the archives.
func (s *Server) Fail(match Match, n, status int, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{match, n, status, header.Clone()})
}

// fault returns the fault for a request, or nil.
func (s *Server) fault(r *http.Request) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.left > 0 && f.match(r) {
			f.left--
			return f
		}
	}
	return nil
}

type hold struct {
	match   Match
	arrived chan struct{}
	freed   chan struct{}
	free    func()
	met     bool
}

// Hold delays the answer to the next request that matches until release is called.
// arrived is closed when the request has arrived, so a test can do something while
// a client waits.
func (s *Server) Hold(match Match) (arrived <-chan struct{}, release func()) {
	h := &hold{match: match, arrived: make(chan struct{}), freed: make(chan struct{})}
	h.free = sync.OnceFunc(func() { close(h.freed) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, h)
	return h.arrived, h.free
}

// wait delays a request that a hold matches. It returns false if the client
// disconnects meanwhile.
func (s *Server) wait(r *http.Request) bool {
	s.mu.Lock()
	at := slices.IndexFunc(s.holds, func(h *hold) bool { return !h.met && h.match(r) })
	if at < 0 {
		s.mu.Unlock()
		return true
	}
	h := s.holds[at]
	h.met = true
	s.mu.Unlock()
	close(h.arrived)
	select {
	case <-h.freed:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (s *Server) releaseAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.holds {
		h.free()
	}
}

// watch records every request, and applies holds and faults to it.
func (s *Server) watch(archive bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := &Request{
			Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Host: r.Host, Archive: archive,
			Authorization: r.Header.Get("Authorization") != "",
		}
		if who, ok := s.authenticate(r); ok && who != nil {
			record.Login = who.login
		}
		s.mu.Lock()
		s.requests = append(s.requests, record)
		s.mu.Unlock()
		if !s.wait(r) {
			return
		}
		answer := &answer{ResponseWriter: w, left: -1}
		f := s.fault(r)
		if f != nil && f.status == 0 {
			answer.left = 1 << 10
			next.ServeHTTP(answer, r)
			panic(http.ErrAbortHandler)
		}
		defer func() {
			s.mu.Lock()
			record.Status = answer.status
			s.mu.Unlock()
			s.options.Logger.Debug("request answered", "method", r.Method, "path", r.URL.Path, "status", answer.status)
		}()
		if f == nil {
			next.ServeHTTP(answer, r)
		} else {
			maps.Copy(answer.Header(), f.header)
			refuse(answer, f.status, http.StatusText(f.status))
		}
	})
}

// answer records the status and can cut the answer.
type answer struct {
	http.ResponseWriter
	status int
	left   int // bytes until the connection is cut; negative: never
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.left >= 0 && len(p) >= a.left {
		_, _ = a.ResponseWriter.Write(p[:a.left])
		_ = http.NewResponseController(a.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	if a.left >= 0 {
		a.left -= len(p)
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap serves [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
