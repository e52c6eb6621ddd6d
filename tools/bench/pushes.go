package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// pushes makes signed deliveries of GitHub's, each of another commit, as large
// as GitHub's usually are.
type pushes struct {
	target string // host:port and path with query
	host   string
	secret []byte
	branch string
	body   [3][]byte // the payload around the two places of the commit's id
	next   atomic.Uint64
	spoil  bool // the signature
}

// commitID is the form of the commit of a push; commitDigits is its length.
const (
	commitID     = "%040x"
	commitDigits = 40
)

// newPushes returns pushes to a branch, with bodies of about size bytes.
func newPushes(host, path, secret, branch string, size int) *pushes {
	const mark = "@COMMIT@"
	var commits []string
	for len(strings.Join(commits, ",")) < size-2500 {
		n := len(commits)
		commits = append(commits, fmt.Sprintf(`{"id":"%040x","message":"Change number %d of the app, with a line that says why","timestamp":"2026-11-27T12:00:00Z",`+
			`"url":"https://github.com/octo/bench/commit/%040x","author":{"name":"Octo Cat","email":"octo@example.com","username":"octo"},`+
			`"added":[],"removed":[],"modified":["lib/file-%d.js","README.md"]}`, n+1, n, n+1, n))
	}
	payload := fmt.Sprintf(`{"ref":"refs/heads/%s","before":"%040x","after":"%s","created":false,"deleted":false,"forced":false,`+
		`"repository":{"id":1296269,"name":"bench","full_name":"octo/bench","private":false,"html_url":"https://github.com/octo/bench",`+
		`"url":"https://github.com/octo/bench","default_branch":"main","owner":{"name":"octo","login":"octo"}},`+
		`"pusher":{"name":"octo","email":"octo@example.com"},"commits":[%s],`+
		`"head_commit":{"id":"%s","message":"The newest change","timestamp":"2026-11-27T12:00:00Z","author":{"name":"Octo Cat","email":"octo@example.com"}}}`,
		branch, 7, mark, strings.Join(commits, ","), mark)
	p := &pushes{target: path, host: host, secret: []byte(secret), branch: branch}
	for i, part := range strings.Split(payload, mark) {
		p.body[i] = []byte(part)
	}
	return p
}

// write writes the next delivery, a whole request.
func (p *pushes) write(buf *bytes.Buffer) {
	n := p.next.Add(1)
	commit := fmt.Appendf(nil, commitID, n+1<<32)
	mac := hmac.New(sha256.New, p.secret)
	size := 0
	for _, part := range [][]byte{p.body[0], commit, p.body[1], commit, p.body[2]} {
		mac.Write(part)
		size += len(part)
	}
	signature := mac.Sum(nil)
	if p.spoil {
		signature[0] ^= 1
	}
	buf.WriteString("POST " + p.target + " HTTP/1.1\r\nHost: " + p.host +
		"\r\nUser-Agent: GitHub-Hookshot/bench\r\nContent-Type: application/json\r\nPrefer: respond-async\r\n" +
		"X-GitHub-Event: push\r\nX-GitHub-Delivery: ")
	_, _ = fmt.Fprintf(buf, "%08x-0000-4000-8000-%012x", n>>16, n)
	buf.WriteString("\r\nX-Hub-Signature-256: sha256=" + hex.EncodeToString(signature) +
		"\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n")
	for _, part := range [][]byte{p.body[0], commit, p.body[1], commit, p.body[2]} {
		buf.Write(part)
	}
}
