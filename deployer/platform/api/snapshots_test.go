package api_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

const upload = "POST /apps/me/app/snapshots/v1"

// say returns a build that prints text and returns err.
func say(text string, err error) func(context.Context, io.Writer) error {
	return func(_ context.Context, out io.Writer) error {
		if text != "" {
			_, _ = io.WriteString(out, text)
		}
		return err
	}
}

func TestBuildOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	failure := core.Errorf(core.CodePlatformBuildFailed, "npm failed:\nno ünicode\there\r\x1b")
	for _, c := range []struct {
		what, prints   string
		err            error
		reason, retry  string
		logged, hidden string
	}{
		{"a failure", "some output\n", failure, "npm failed: no ?nicode here", "", "", ""},
		{"a failure without output", "", failure, "npm failed: no ?nicode here", "", "", ""},
		{"a fault", "some output\n", errors.New("secret disk"), "The platform failed while", "1", "secret disk", "secret"},
	} {
		b.builder.will(say(c.prints, c.err))
		got := b.must(200, me, upload, "tgz")
		if got.body != c.prints || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: the answer is %q of %s", c.what, got.body, got.header.Get("Content-Type"))
		}
		reason, retry := got.Trailer.Get("X-Build-Failure"), got.Trailer.Get("X-Build-Retry")
		if !strings.HasPrefix(reason, c.reason) || reason == "" || retry != c.retry {
			t.Errorf("%s: the trailers are %q, %q", c.what, reason, retry)
		}
		if c.hidden != "" && strings.Contains(reason, c.hidden) {
			t.Errorf("%s: the reason reveals the cause: %s", c.what, reason)
		}
		if !strings.Contains(b.log.String(), c.logged) {
			t.Errorf("%s: the log doesn't say %q:\n%s", c.what, c.logged, b.log)
		}
		if list := b.must(200, me, "GET /apps/me/app/snapshots", "").body; list != "{\"snapshots\":[]}\n" {
			t.Errorf("%s left %s", c.what, list)
		}
	}
	// Nothing was printed, so the response can still be a plain error.
	b.builder.will(say("", errors.New("secret disk")))
	if got := b.refused(500, "internal_error", me, upload, "tgz"); strings.Contains(got.body, "secret") {
		t.Errorf("the response reveals the cause: %s", got.body)
	}
	b.builder.will(say("some output\n", nil))
	if got := b.must(200, me, upload, "tgz"); got.body != "some output\n" || len(got.Trailer["X-Build-Failure"])+len(got.Trailer["X-Build-Retry"]) != 0 {
		t.Errorf("a success answers %q with the trailers %v", got.body, got.Trailer)
	}
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.must(200, me, upload, "the first")
	b.must(200, me, "POST /apps/me/app/snapshots/v2", "the second")
	if again := b.must(200, me, upload, "another"); !strings.Contains(again.body, "built already") {
		t.Errorf("the same name again: %q", again.body)
	}
	got := b.must(200, me, "GET /apps/me/app/snapshots/v1.tgz", "")
	if got.body != "the first" || got.header.Get("Content-Length") != "9" || got.header.Get("Content-Type") != "application/gzip" || len(got.Trailer) != 0 {
		t.Errorf("the archive comes as %q with %v", got.body, got.header)
	}
	if head := b.must(200, me, "HEAD /apps/me/app/snapshots/v1.tgz", ""); head.body != "" || head.ContentLength != 9 {
		t.Errorf("HEAD: %q %d", head.body, head.ContentLength)
	}
	b.refused(404, "not_found", me, "GET /apps/me/app/snapshots/v3.tgz", "")
	b.refused(404, "not_found", me, "POST /apps/me/app/snapshots/v3/activate", "")
	b.must(200, me, "POST /apps/me/app/snapshots/v2/activate", "{}")
	var list struct {
		Snapshots []struct {
			ID, MD5, Filename, Ctime string
			Active, Running          bool
		}
	}
	b.must(200, me, "GET /apps/me/app/snapshots", "").decode(&list)
	if s := list.Snapshots; len(s) != 2 || s[0].ID != "v1" || s[0].Active || s[1].Running || !s[1].Active ||
		s[0].Filename != "v1.tgz" || s[0].MD5 != "7e79441b624883ef4f3216c5b1ef2e3a" || s[0].Ctime == "" {
		t.Errorf("the list is %+v", list)
	}
	b.must(200, me, "DELETE /apps/me/app/snapshots/v2", "")
	b.refused(404, "not_found", me, "DELETE /apps/me/app/snapshots/v2", "")
}

// The output of a build is streamed.
func TestOutputStreams(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	goOn := make(chan struct{})
	b.builder.will(func(ctx context.Context, out io.Writer) error {
		_, _ = io.WriteString(out, "first\n")
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		_, _ = io.WriteString(out, "second\n")
		return ctx.Err()
	})
	resp, err := b.open(me, upload, strings.NewReader("tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	first := make([]byte, len("first\n"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first\n" {
		t.Fatalf("%q, %v", first, err)
	}
	close(goOn)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != "second\n" {
		t.Fatalf("%q, %v", rest, err)
	}
}

// An upload that waits for another build says so at once.
func TestUploadSaysThatItWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	building, goOn := make(chan struct{}), make(chan struct{})
	b.builder.will(func(context.Context, io.Writer) error {
		close(building)
		<-goOn
		return nil
	})
	var first sync.WaitGroup
	first.Go(func() { b.must(200, me, upload, "tgz") })
	<-building
	b.builder.will(nil)
	resp, err := b.open(me, "POST /apps/me/app/snapshots/v2", strings.NewReader("tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "Waiting for another build of this app\n" {
		t.Errorf("%q, %v", line, err)
	}
	close(goOn)
	first.Wait()
}

// A truncated response must not look complete.
func TestTruncatedResponses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	for _, prints := range []string{"some output\n", ""} {
		building := make(chan struct{})
		ended := make(chan struct{})
		b.builder.will(func(ctx context.Context, out io.Writer) error {
			if prints != "" {
				_, _ = io.WriteString(out, prints)
			}
			close(building)
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		})
		go func() {
			<-building
			b.end() // the platform stops
		}()
		resp, err := b.open(me, upload, strings.NewReader("tgz"))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		<-ended
		if err == nil {
			t.Errorf("after %q the response looks complete, with the trailers %v", prints, resp.Trailer)
		}
		b.server.Close()
		b.serve()
	}
}

// A client that disconnects cancels its build.
func TestDisconnectCancelsBuild(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	building, ended := make(chan struct{}), make(chan struct{})
	b.builder.will(func(ctx context.Context, _ io.Writer) error {
		close(building)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL+"/apps/me/app/snapshots/v1", strings.NewReader("tgz"))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("me", "my password")
	go func() {
		<-building
		leave()
	}()
	if resp, err := b.server.Client().Do(req); err == nil {
		_ = resp.Body.Close()
		t.Error("the call got a response")
	}
	<-ended
	b.builder.will(nil)
	b.must(200, me, upload, "tgz") // the cancelled build has released the app
}

// A client that sends a large body without Expect gets the error response.
func TestLargeUploadRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.must(200, me, upload, "tgz")
	large := bytes.Repeat([]byte("x"), 16<<20)
	for range 3 {
		if got := b.must(200, me, upload, string(large)); !strings.Contains(got.body, "built already") {
			t.Errorf("built already: %q", got.body)
		}
		b.refused(404, "not_found", me, "POST /apps/me/none/snapshots/v1", string(large))
		b.refused(401, "unauthorized", "", upload, string(large))
	}
}
