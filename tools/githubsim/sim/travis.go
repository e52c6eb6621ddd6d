package sim

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // Travis CI signs with it
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// TravisBuild is the build that a notification is about.
type TravisBuild struct {
	Owner, Repo, Commit string

	Branch      string // "" is main
	State       string // started, passed, failed, errored or canceled; "" is passed
	Result      string // the status message, such as Fixed; "" is the usual one for the state
	Message     string // of the commit
	BuildID     int64  // 0: derived from the commit
	Number      string // "" is 1
	Type        string // push, pull_request, cron or api; "" is push, or pull_request if there is one
	PullRequest int    // its number; 0 for none
	Tag         string

	PrivateKey *rsa.PrivateKey // signs; nil: unsigned, as from some Enterprise servers
}

// NewTravisKey returns a key to sign with, and its public key in the form of
// api.travis-ci.com/config.
func NewTravisKey() (key *rsa.PrivateKey, publicPEM string, err error) {
	if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, "", fmt.Errorf("sim: travis key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, "", fmt.Errorf("sim: travis key: %w", err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), nil
}

// TravisNotification returns the headers and body of what Travis CI posts
// (travis-ci/travis-tasks, lib/travis/addons/webhook): a form with the field
// payload; the signature is RSA, PKCS #1 v1.5 with SHA-1, of that field's text.
func TravisNotification(b TravisBuild) (http.Header, []byte, error) {
	payload, err := json.Marshal(b.payload())
	if err != nil {
		return nil, nil, fmt.Errorf("sim: travis notification: %w", err)
	}
	header := http.Header{
		"Content-Type":     {"application/x-www-form-urlencoded"},
		"User-Agent":       {"Travis CI Notifications"},
		"Travis-Repo-Slug": {b.Owner + "/" + b.Repo},
	}
	if b.PrivateKey != nil {
		digest := sha1.Sum(payload) //nolint:gosec // see the import
		signature, err := rsa.SignPKCS1v15(rand.Reader, b.PrivateKey, crypto.SHA1, digest[:])
		if err != nil {
			return nil, nil, fmt.Errorf("sim: travis notification: %w", err)
		}
		header.Set("Signature", base64.StdEncoding.EncodeToString(signature))
	}
	return header, []byte(url.Values{"payload": {string(payload)}}.Encode()), nil
}

// NotifyTravis posts a notification and returns the answer; as Travis CI does,
// it follows redirects, waits for a minute and does not retry. user:password@ in
// the URL is sent as Basic authentication.
func (s *Server) NotifyTravis(ctx context.Context, to string, b TravisBuild) (Delivery, error) {
	header, body, err := TravisNotification(b)
	if err != nil {
		return Delivery{}, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Delivery{}, fmt.Errorf("sim: travis notification: %w", err)
	}
	d := Delivery{Event: "build", URL: to, Request: header, Sent: body, Payload: []byte(form.Get("payload"))}
	d.Status, d.Response, d.Body, d.Err = post(ctx, s.travis, to, header, body)
	return d, nil
}

// payload returns the JSON of a notification. Values that are not given are derived
// from the others.
func (b TravisBuild) payload() map[string]any {
	branch, state, kind, number := b.Branch, b.State, b.Type, b.Number
	if branch == "" {
		branch = "main"
	}
	if b.Tag != "" {
		branch = b.Tag
	}
	if state == "" {
		state = "passed"
	}
	if kind == "" && b.PullRequest > 0 {
		kind = "pull_request"
	} else if kind == "" {
		kind = "push"
	}
	if number == "" {
		number = "1"
	}
	id := b.BuildID
	if id == 0 {
		id = idOf("build", b.Owner+"/"+b.Repo+"@"+b.Commit)
	}
	var status any // null while it runs, and for a canceled build
	switch state {
	case "passed":
		status = 0
	case "failed", "errored":
		status = 1
	}
	result := b.Result
	if result == "" {
		result = map[string]string{"passed": "Passed", "failed": "Broken", "errored": "Errored", "canceled": "Canceled"}[state]
	}
	if result == "" {
		result = "Pending"
	}
	var finished, duration any
	began := time.Now().UTC().Truncate(time.Second).Add(-time.Minute)
	if state != "started" {
		finished, duration = began.Add(50*time.Second).Format(time.RFC3339), 50
	}
	slug := b.Owner + "/" + b.Repo
	compare := "https://github.com/" + slug + "/compare/" + b.Commit + "^..." + b.Commit
	var pull, pullTitle, tag any
	if b.PullRequest > 0 {
		pull, pullTitle = b.PullRequest, b.Message
		compare = fmt.Sprintf("https://github.com/%s/pull/%d", slug, b.PullRequest)
	}
	if b.Tag != "" {
		tag = b.Tag
	}
	config := map[string]any{"language": "node_js", "os": []string{"linux"}}
	shared := map[string]any{ // of the build and its only job
		"author_name": b.Owner, "author_email": emailOf(b.Owner), "committer_name": b.Owner, "committer_email": emailOf(b.Owner),
		"committed_at": began.Format(time.RFC3339), "started_at": began.Format(time.RFC3339), "finished_at": finished,
		"commit": b.Commit, "branch": branch, "message": b.Message, "compare_url": compare,
		"state": state, "status": status, "result": status, "config": config,
	}
	with := func(more map[string]any) map[string]any {
		maps.Copy(more, shared)
		return more
	}
	return with(map[string]any{
		"id": id, "number": number, "type": kind, "status_message": result, "result_message": result, "duration": duration,
		"build_url": fmt.Sprintf("https://app.travis-ci.com/github/%s/builds/%d", slug, id),
		"commit_id": id + 1, "base_commit": nil, "head_commit": nil,
		"pull_request": b.PullRequest > 0, "pull_request_number": pull, "pull_request_title": pullTitle, "tag": tag,
		"repository": map[string]any{"id": idOf("travis", slug), "name": b.Repo, "owner_name": b.Owner, "url": nil},
		"matrix": []any{with(map[string]any{
			"id": id + 2, "repository_id": idOf("travis", slug), "parent_id": id, "number": number + ".1", "allow_failure": false,
		})},
	})
}
