package github_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/github"
)

// If GitHub, or a proxy in front of it, repeats the headers of a request in its
// error message, the error of the call does not contain the token.
func TestErrorsWithoutARepeatedToken(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"a refusal": 403, "a rate limit": 429, "a failure": 500, "not found": 404, "a redirect": 302} {
		for call, do := range calls() {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
					header := r.Header.Get("Authorization")
					said := header + " " + base64.StdEncoding.EncodeToString([]byte("x:"+strings.TrimPrefix(header, "Bearer ")))
					message, _ := json.Marshal(map[string]string{"message": "You sent " + said})
					w.Header().Set("X-Request", said)
					w.Header().Set("Location", "http://"+strings.TrimPrefix(header, "Bearer ")+".example.com/")
					answer(w, code, string(message))
				})
				_, err := do(t.Context(), newClient(t, github.Options{BaseURL: server.URL}))
				if err == nil {
					t.Fatal("no error")
				}
				if len(server.requests()) == 0 || server.requests()[0].authorization != "Bearer "+token.Reveal() {
					t.Errorf("the token was not sent: %v", server.requests())
				}
				for _, leak := range []string{token.Reveal(), base64.RawStdEncoding.EncodeToString([]byte("x:" + token.Reveal()))[4:]} {
					if strings.Contains(err.Error(), leak) {
						t.Errorf("the error has %q: %v", leak, err)
					}
				}
			})
		}
	}
}

// The address of an archive has a token that gives access to the repository.
func TestErrorsWithoutARepeatedArchiveToken(t *testing.T) {
	t.Parallel()
	const permission = "canary-permission"
	archive := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = connection.Write([]byte(r.URL.Query().Get("token") + "\r\n\r\n"))
		_ = connection.Close()
	})
	api := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, archive.URL+"/legacy.tar.gz?token="+permission, http.StatusFound)
	})
	_, err := readTarball(t.Context(), newClient(t, github.Options{BaseURL: api.URL, ArchiveHosts: []string{archive.address()}}), commit)
	if err == nil || strings.Contains(err.Error(), permission) || !strings.Contains(err.Error(), "***") {
		t.Errorf("got %v", err)
	}
}
