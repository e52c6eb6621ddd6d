package sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Request is one that the Server got.
type Request struct {
	Method, Path  string // the path without the query
	Query         string
	Host          string // as the client called the server
	Archive       bool   // it came to the archive's address
	Authorization bool   // it carried an Authorization header
	Login         string // whose token it was
	Status        int    // of the answer; 0 while there is none, or cut off
}

// Requests returns all requests, in the order in which they came. Those that
// [Server.Pushed] is called by do not count.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.requests))
	for i, r := range s.requests {
		all[i] = *r
	}
	return all
}

// Match chooses requests.
type Match func(r *http.Request) bool

// Matching chooses the requests of a method whose path contains part; "" is
// any.
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

// Fail answers the next n requests that match with a status and, over the
// usual ones, headers. Status 0 cuts the connection instead, within the first
// KiB of what the answer would have been. It applies to both addresses.
func (s *Server) Fail(match Match, n, status int, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{match, n, status, header.Clone()})
}

// fault returns the fault that the request meets, if any.
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

// Hold lets the next request that matches wait for its answer until release is
// called. arrived is closed when it is there. So a test can do something while
// a client waits.
func (s *Server) Hold(match Match) (arrived <-chan struct{}, release func()) {
	h := &hold{match: match, arrived: make(chan struct{}), freed: make(chan struct{})}
	h.free = sync.OnceFunc(func() { close(h.freed) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, h)
	return h.arrived, h.free
}

// wait keeps a request that somebody wants held. It returns false where the
// client left meanwhile.
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

// watch is what every request passes: it is written down, held, and met by
// the faults.
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

// answer remembers the status and can cut the answer off.
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
