package forgehttp

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"io"
	"maps"
	"net/http"
	"sync"
)

const (
	maxKept    = 16 << 20 // bytes of all answers that a Conditional keeps
	maxKeptOne = 2 << 20  // bytes of one body
)

// Conditional is a RoundTripper for answers that are polled. It keeps those with an
// ETag, and asks for them again on the condition that they changed: a forge answers 304
// to that without a body, and GitHub does not count it in the rate limit
// (docs.github.com, "Best practices for using the REST API"). The caller sees the
// answer that was kept. Other requests than GET are sent as they are.
type Conditional struct {
	Next http.RoundTripper

	mu     sync.Mutex
	kept   map[answerKey]*list.Element // of *keptAnswer
	recent list.List                   // the most recently used first
	size   int
}

// answerKey identifies a request with who makes it, without keeping their token.
type answerKey [sha256.Size]byte

// keptAnswer is a successful answer.
type keptAnswer struct {
	key    answerKey
	etag   string
	header http.Header
	body   []byte
}

// answerOverhead is about what the memory of an answer has besides its texts.
const answerOverhead = 512

// size returns about how many bytes of memory the answer takes.
func (a *keptAnswer) size() int {
	n := answerOverhead + len(a.body)
	for name, values := range a.header {
		n += len(name)
		for _, value := range values {
			n += len(value)
		}
	}
	return n
}

// RoundTrip implements [http.RoundTripper].
func (c *Conditional) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return c.Next.RoundTrip(req)
	}
	key := keyOf(req)
	known := c.get(key)
	if known != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", known.etag)
	}
	resp, err := c.Next.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case known != nil && resp.StatusCode == http.StatusNotModified:
		if err := resp.Body.Close(); err != nil {
			return nil, err
		}
		header := known.header.Clone()
		maps.Copy(header, resp.Header) // such as the rate limit
		resp.Status, resp.StatusCode, resp.Header = "200 OK", http.StatusOK, header
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(known.body)), int64(len(known.body))
	case resp.StatusCode == http.StatusOK && resp.Header.Get("ETag") != "":
		resp.Body = &keeping{ReadCloser: resp.Body, keep: func(body []byte) {
			c.put(&keptAnswer{key, resp.Header.Get("ETag"), resp.Header.Clone(), body})
		}}
	}
	return resp, nil
}

// keyOf returns the key of a request: its URL, and all headers, as the token is in one
// of them.
func keyOf(req *http.Request) answerKey {
	h := sha256.New()
	_, _ = io.WriteString(h, req.URL.String()+"\n") // never fails
	_ = req.Header.Write(h)
	return answerKey(h.Sum(nil))
}

func (c *Conditional) get(key answerKey) *keptAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.kept[key]
	if at == nil {
		return nil
	}
	c.recent.MoveToFront(at)
	return at.Value.(*keptAnswer) //nolint:errcheck,forcetypeassert // the list has nothing else
}

// put keeps an answer, and forgets those that were not used for the longest time.
func (c *Conditional) put(a *keptAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.kept[a.key])
	if c.kept == nil {
		c.kept = map[answerKey]*list.Element{}
	}
	c.kept[a.key] = c.recent.PushFront(a)
	for c.size += a.size(); c.size > maxKept; {
		c.remove(c.recent.Back())
	}
}

func (c *Conditional) remove(at *list.Element) {
	if at == nil {
		return
	}
	a := c.recent.Remove(at).(*keptAnswer) //nolint:errcheck,forcetypeassert // the list has nothing else
	delete(c.kept, a.key)
	c.size -= a.size()
}

// keeping is a body that is kept when it was read to its end.
type keeping struct {
	io.ReadCloser
	read bytes.Buffer
	keep func(body []byte)
}

// Read implements [io.Reader].
func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	if k.keep != nil {
		k.read.Write(p[:n])
	}
	switch {
	case k.keep == nil:
	case k.read.Len() > maxKeptOne, err != nil && err != io.EOF: //nolint:errorlint // as io.Reader has it
		k.keep, k.read = nil, bytes.Buffer{}
	case err == io.EOF: //nolint:errorlint // as io.Reader has it
		k.keep(k.read.Bytes())
		k.keep = nil
	}
	return n, err
}
