package forgesim

import (
	"encoding/json"
	"net/http"
	"strconv"
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
