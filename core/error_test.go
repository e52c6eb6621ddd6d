package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

func TestError(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	err := fmt.Errorf("deploying: %w", core.NewError(core.CodeUploadTarball, "", cause))

	if got := core.CodeOf(err); got != core.CodeUploadTarball {
		t.Errorf("CodeOf = %q", got)
	}
	if got, want := core.AsError(err).Reason, core.Reason(core.CodeUploadTarball)+". "+core.Remedy(core.CodeUploadTarball); got != want {
		t.Errorf("without a reason it has %q, want the catalogue's %q", got, want)
	}
	if got := core.NewError(core.CodeUploadTarball, "Mine", nil).Reason; got != "Mine" {
		t.Errorf("the reason is %q", got)
	}
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), cause.Error()) {
		t.Errorf("%v does not wrap its cause", err)
	}
	if !errors.Is(err, core.NewError(core.CodeUploadTarball, "another", nil)) {
		t.Error("Is is false for the same code")
	}
	if errors.Is(err, core.NewError(core.CodeStartApp, "", cause)) || errors.Is(err, core.ErrNotFound) {
		t.Error("Is is true for another code")
	}
}

func TestErrorWithoutACode(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	if got := core.AsError(cause); got.Code != core.CodeInternal || !errors.Is(got, cause) {
		t.Errorf("AsError returned %v", got)
	}
	if got := core.CodeOf(cause); got != core.CodeInternal {
		t.Errorf("CodeOf returned %q", got)
	}
	if got := core.AsError(nil); got != nil {
		t.Errorf("AsError(nil) returned %v", got)
	}
	if got := core.CodeOf(nil); got != "" {
		t.Errorf("CodeOf(nil) returned %q", got)
	}
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	cause := errors.New("503")
	cases := []struct {
		name  string
		err   error
		after time.Duration
		ok    bool
	}{
		{"nil", nil, 0, false},
		{"any error", cause, 0, false},
		{"a transient one", core.Transient(cause, 0), 0, true},
		{"with a time", fmt.Errorf("github: %w", core.Transient(cause, time.Minute)), time.Minute, true},
		{"a transient nil", core.Transient(nil, time.Minute), 0, false},
		{"a transient cause", core.NewError(core.CodeUploadTarball, "", core.Transient(cause, time.Second)), time.Second, true},
		{"a deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), 0, true},
		{"a cancelled call", context.Canceled, 0, false},
	}
	for _, c := range cases {
		after, ok := core.Retryable(c.err)
		if after != c.after || ok != c.ok {
			t.Errorf("%s: got %s, %t, want %s, %t", c.name, after, ok, c.after, c.ok)
		}
	}
	if err := core.Transient(cause, 0); !errors.Is(err, cause) || err.Error() != cause.Error() {
		t.Errorf("%v does not wrap its cause", err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	built := &core.Error{Code: core.CodePlatformBuildFailed, Reason: "npm install failed: husky: not found.", Detail: "sh: husky: not found"}
	for want, e := range map[string]*core.Error{
		"Failed to upload the tarball to nodejitsu: npm install failed: husky: not found. Correct the cause": core.Explain(core.CodeUploadTarball, fmt.Errorf("upload: %w", built)),
		"Failed to start nodejitsu application: it exited. What ran before goes on running":                  core.Explain(core.CodeStartApp, errors.New("it exited\nat line 1")),
		"package.json doesn't describe an app we can deploy: no name. Correct it and push again":             core.Explain(core.CodeBadPackageJSON, errors.New("no name")),
		core.Reason(core.CodeTarCorrupt) + ". Redeliver the webhook":                                         core.Explain(core.CodeTarCorrupt, nil),
	} {
		if !strings.HasPrefix(e.Reason, want) {
			t.Errorf("got %q, want %q", e.Reason, want)
		}
	}
	e := core.Explain(core.CodeUploadTarball, core.Transient(built, time.Second))
	if after, again := core.Retryable(e); e.Detail != built.Detail || after != time.Second || !again || !errors.Is(e, built) {
		t.Errorf("got %+v, retryable %t", e, again)
	}
	if long := core.Explain(core.CodeStartApp, errors.New(strings.Repeat("ä", 1000))); len(long.Reason) > 800 || !utf8.ValidString(long.Reason) {
		t.Errorf("a long cause makes the reason %q", long.Reason)
	}
}
