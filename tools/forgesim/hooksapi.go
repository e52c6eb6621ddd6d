package forgesim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// hooksAt adds the routes for webhooks at a path; change is the method that changes one,
// and list makes an answer of all of them.
func (s *Server) hooksAt(mux *http.ServeMux, path, change string, slug func(*http.Request) string, list func([]map[string]any) any) {
	answer := func(id int, h hook) map[string]any {
		return map[string]any{"id": id, "uuid": strconv.Itoa(id), "url": h.url, "config": map[string]string{"url": h.url}}
	}
	user := func(w http.ResponseWriter, r *http.Request) bool {
		if login, _ := r.Context().Value(loginKey{}).(string); login == "" {
			refuse(w, http.StatusUnauthorized, "401 Unauthorized")
			return false
		}
		return true
	}
	mux.HandleFunc("GET "+path, s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		if !user(w, r) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		all := []map[string]any{}
		for i, h := range repo.hooks {
			all = append(all, answer(i+1, h))
		}
		writeJSON(w, http.StatusOK, list(all))
	}))
	mux.HandleFunc("POST "+path, s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		h, err := readHook(w, r)
		if err != nil || !user(w, r) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		repo.hooks = append(repo.hooks, h)
		writeJSON(w, http.StatusCreated, answer(len(repo.hooks), h))
	}))
	mux.HandleFunc(change+" "+path+"/{hook}", s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
		h, err := readHook(w, r)
		if err != nil || !user(w, r) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		id, err := strconv.Atoi(r.PathValue("hook"))
		if err != nil || id < 1 || id > len(repo.hooks) {
			refuse(w, http.StatusNotFound, "404 Not Found")
			return
		}
		repo.hooks[id-1] = h
		writeJSON(w, http.StatusOK, answer(id, h))
	}))
}

// deliveriesAt adds GitLab's routes for the deliveries of a webhook, below the path of
// its webhooks.
func (s *Server) deliveriesAt(mux *http.ServeMux, path string, slug func(*http.Request) string) {
	handle := func(pattern string, f func(w http.ResponseWriter, r *http.Request, repo *repository, hook int)) {
		mux.HandleFunc(pattern, s.on(slug, func(w http.ResponseWriter, r *http.Request, repo *repository) {
			login, _ := r.Context().Value(loginKey{}).(string)
			id, err := strconv.Atoi(r.PathValue("hook"))
			s.mu.Lock()
			known := err == nil && id >= 1 && id <= len(repo.hooks)
			s.mu.Unlock()
			if login == "" || !known {
				refuse(w, http.StatusNotFound, "404 Not Found")
				return
			}
			f(w, r, repo, id-1)
		}))
	}
	handle("GET "+path+"/{hook}", func(w http.ResponseWriter, _ *http.Request, repo *repository, hook int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		status := "executable"
		if repo.disabled[hook] {
			status = "temporarily_disabled"
		}
		writeJSON(w, http.StatusOK, map[string]any{"id": hook + 1, "url": repo.hooks[hook].url, "alert_status": status})
	})
	handle("GET "+path+"/{hook}/events", s.listSent)
	handle("POST "+path+"/{hook}/events/{event}/resend", s.resend)
	// A test enables the webhook. One of push_events is a push of the newest commit, and one
	// of resource_access_token_events needs nothing that the project may not have.
	handle("POST "+path+"/{hook}/test/{trigger}", func(w http.ResponseWriter, r *http.Request, repo *repository, hook int) {
		event, v := "Resource Access Token Hook", any(map[string]any{
			"object_kind": "access_token", "event_name": "expiring_access_token", "project": s.projectJSON(repo),
			"object_attributes": map[string]any{"user_id": nil, "id": 1, "name": "pat_for_webhook_event", "created_at": time.Now(), "expires_at": "2027-01-26"},
		})
		switch r.PathValue("trigger") {
		case "resource_access_token_events":
		case "push_events":
			branches, err := repo.branches(r.Context())
			if err != nil || branches["main"] == "" {
				refuse(w, http.StatusUnprocessableEntity, "Ensure the project has at least one commit.")
				return
			}
			event, v = s.pushJSON(r.Context(), repo, "main", zero, branches["main"])
		default:
			refuse(w, http.StatusBadRequest, "trigger does not have a valid value")
			return
		}
		d, err := s.postTest(r.Context(), repo, hook, event, v)
		if err != nil || d.Status < http.StatusOK || d.Status > 299 {
			refuse(w, http.StatusUnprocessableEntity, "the webhook failed")
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(repo.disabled, hook)
		writeJSON(w, http.StatusCreated, map[string]string{"message": "201 Created"})
	})
}

// postTest posts the test of a webhook.
func (s *Server) postTest(ctx context.Context, repo *repository, hook int, event string, v any) (Delivery, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return Delivery{}, fmt.Errorf("forgesim: %w", err)
	}
	s.mu.Lock()
	s.count++
	id := "test-" + strconv.FormatInt(s.count, 10)
	s.mu.Unlock()
	return s.post(ctx, repo, hook, event, id, payload)
}

// listSent answers with a page of the deliveries of a webhook, the newest first.
func (s *Server) listSent(w http.ResponseWriter, r *http.Request, repo *repository, hook int) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	if size < 1 || size > 20 {
		refuse(w, http.StatusBadRequest, "per_page does not have a valid value")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []map[string]any{}
	for _, d := range slices.Backward(repo.sent) {
		if d.hook != hook {
			continue
		}
		status, header := "internal error", map[string]string{}
		if d.status != 0 {
			status = strconv.Itoa(d.status)
			for name := range d.header {
				header[name] = d.header.Get(name)
			}
		}
		all = append(all, map[string]any{
			"id": d.id, "url": repo.hooks[hook].url, "trigger": "push_hooks", "request_headers": map[string]string{"Idempotency-Key": d.key},
			"request_data": json.RawMessage(d.payload), "response_headers": header, "response_status": status,
		})
	}
	from := min(max(page-1, 0)*size, len(all))
	writeJSON(w, http.StatusOK, all[from:min(from+size, len(all))])
}

// resend sends a delivery again.
func (s *Server) resend(w http.ResponseWriter, r *http.Request, repo *repository, hook int) {
	id, _ := strconv.ParseInt(r.PathValue("event"), 10, 64)
	s.mu.Lock()
	at := slices.IndexFunc(repo.sent, func(d sent) bool { return d.id == id && d.hook == hook })
	disabled := repo.disabled[hook]
	var d sent
	if at >= 0 {
		d = repo.sent[at]
	}
	s.mu.Unlock()
	switch {
	case at < 0:
		refuse(w, http.StatusNotFound, "404 Not Found")
		return
	case disabled:
		refuse(w, http.StatusUnprocessableEntity, "Hook disabled")
		return
	}
	answer, err := s.post(r.Context(), repo, hook, d.event, d.key, d.payload)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, map[string]int{"response_status": answer.Status})
}

// readHook reads a webhook as any of the forges has it.
func readHook(w http.ResponseWriter, r *http.Request) (hook, error) {
	var body struct {
		URL    string            `json:"url"`
		Token  string            `json:"token"`
		Secret string            `json:"secret"`
		Config map[string]string `json:"config"`

		Configuration map[string]string `json:"configuration"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, "400 Bad Request")
		return hook{}, err
	}
	return hook{body.URL + body.Config["url"], body.Token + body.Secret + body.Config["secret"] + body.Configuration["secret"]}, nil
}

func plainList(all []map[string]any) any { return all }

func pageList(all []map[string]any) any { return map[string]any{"pagelen": 100, "values": all} }
