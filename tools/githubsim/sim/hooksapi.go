package sim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/nodejitsu/webhooks/core"
)

// hookRoutes are the routes for the webhooks of a repository (docs.github.com, "REST API
// endpoints for repository webhooks").
func (s *Server) hookRoutes(api *http.ServeMux) {
	const hooks = "/repos/{owner}/{repo}/hooks"
	api.HandleFunc("GET "+hooks, s.managed(s.getHooks))
	api.HandleFunc("POST "+hooks, s.managed(s.postHook))
	api.HandleFunc("PATCH "+hooks+"/{id}", s.managed(s.patchHook))
	api.HandleFunc("POST "+hooks+"/{id}/pings", s.managed(s.postPing))
	api.HandleFunc("GET "+hooks+"/{id}/deliveries", s.managed(s.getDeliveries))
	api.HandleFunc("GET "+hooks+"/{id}/deliveries/{delivery}", s.managed(s.getDelivery))
	api.HandleFunc("POST "+hooks+"/{id}/deliveries/{delivery}/attempts", s.managed(s.postAttempt))
}

// managed finds the repository of the path for a user who may manage its webhooks.
func (s *Server) managed(handle func(http.ResponseWriter, *http.Request, *repository)) http.HandlerFunc {
	return s.on(func(w http.ResponseWriter, r *http.Request, repo *repository) {
		who := viewer(r.Context())
		if who == nil || !s.belongs(who, repo) || !who.may("repo", "admin:repo_hook") {
			notFound(w)
			return
		}
		handle(w, r, repo)
	})
}

// hookBody is a webhook in a request.
type hookBody struct {
	Events []string `json:"events"`
	Config struct {
		URL         string `json:"url"`
		ContentType string `json:"content_type"`
		Secret      string `json:"secret"`
	} `json:"config"`
}

func hookJSON(h hook) map[string]any {
	return map[string]any{
		"type": "Repository", "id": h.id, "name": "web", "active": true, "events": h.options.Events,
		"config": map[string]string{"url": h.url, "content_type": h.options.ContentType, "secret": "********", "insecure_ssl": "0"},
	}
}

func (s *Server) getHooks(w http.ResponseWriter, _ *http.Request, repo *repository) {
	s.mu.Lock()
	list := []map[string]any{}
	for _, h := range repo.hooks {
		list = append(list, hookJSON(h))
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, list)
}

// postHook makes a webhook and sends a ping.
func (s *Server) postHook(w http.ResponseWriter, r *http.Request, repo *repository) {
	var body hookBody
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil || body.Config.URL == "" {
		invalid(w, "Hook", "url", "missing_field")
		return
	}
	_, err := s.Hook(r.Context(), repo.owner, repo.name, body.Config.URL, HookOptions{
		Secret: core.NewSecret(body.Config.Secret), ContentType: body.Config.ContentType, Events: body.Events,
	})
	if err != nil {
		s.broken(w, err)
		return
	}
	s.mu.Lock()
	made := repo.hooks[len(repo.hooks)-1]
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, hookJSON(made))
}

// hookOf returns the webhook of the path.
func (s *Server) hookOf(r *http.Request, repo *repository) (hook, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(repo.hooks, func(h hook) bool { return strconv.FormatInt(h.id, 10) == r.PathValue("id") })
	if at < 0 {
		return hook{}, false
	}
	return repo.hooks[at], true
}

func (s *Server) patchHook(w http.ResponseWriter, r *http.Request, repo *repository) {
	var body hookBody
	h, found := s.hookOf(r, repo)
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil || !found {
		notFound(w)
		return
	}
	h.url, h.options.Events, h.options.Secret = body.Config.URL, body.Events, core.NewSecret(body.Config.Secret)
	s.mu.Lock()
	for i, old := range repo.hooks {
		if old.id == h.id {
			repo.hooks[i] = h
		}
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, hookJSON(h))
}

func (s *Server) postPing(w http.ResponseWriter, r *http.Request, repo *repository) {
	h, found := s.hookOf(r, repo)
	if !found {
		notFound(w)
		return
	}
	payload, err := s.pingJSON(r.Context(), repo, h)
	if err != nil {
		s.broken(w, err)
		return
	}
	s.deliver(r.Context(), repo, h, Delivery{Event: "ping", Payload: payload})
	w.WriteHeader(http.StatusNoContent)
}

// getDeliveries lists the deliveries of a webhook, newest first. The id of one is its
// place among all, from 1.
func (s *Server) getDeliveries(w http.ResponseWriter, r *http.Request, repo *repository) {
	h, found := s.hookOf(r, repo)
	if !found {
		notFound(w)
		return
	}
	list := []map[string]any{}
	for i, d := range s.Deliveries() {
		if d.Hook == h.id {
			list = append([]map[string]any{{
				"id": i + 1, "guid": d.GUID, "event": d.Event, "status_code": d.Status, "redelivery": d.Redelivery,
				"delivered_at": d.At.UTC(),
			}}, list...)
		}
	}
	writeJSON(w, http.StatusOK, list)
}

// deliveryOf returns the delivery of the path.
func (s *Server) deliveryOf(r *http.Request) (Delivery, bool) {
	all := s.Deliveries()
	id, err := strconv.Atoi(r.PathValue("delivery"))
	if err != nil || id < 1 || id > len(all) || strconv.FormatInt(all[id-1].Hook, 10) != r.PathValue("id") {
		return Delivery{}, false
	}
	return all[id-1], true
}

// getDelivery answers with one delivery and the answer that it got.
func (s *Server) getDelivery(w http.ResponseWriter, r *http.Request, _ *repository) {
	d, found := s.deliveryOf(r)
	if !found {
		notFound(w)
		return
	}
	headers := map[string]string{}
	for name := range d.Response {
		headers[name] = d.Response.Get(name)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"guid": d.GUID, "event": d.Event, "status_code": d.Status, "redelivery": d.Redelivery, "delivered_at": d.At.UTC(),
		"response": map[string]any{"headers": headers, "payload": string(d.Body)},
	})
}

func (s *Server) postAttempt(w http.ResponseWriter, r *http.Request, _ *repository) {
	d, found := s.deliveryOf(r)
	if !found {
		notFound(w)
		return
	}
	// The delivery goes on if the caller leaves.
	if _, err := s.Redeliver(context.WithoutCancel(r.Context()), d.GUID); err != nil {
		s.broken(w, err)
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]any{})
}
