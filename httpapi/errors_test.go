package httpapi_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
)

// answerTo returns what a delivery gets that fails with err.
func answerTo(t *testing.T, err error) (status int, header http.Header, body map[string]string) {
	t.Helper()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
			return deploy.Receipt{}, err
		}}
	})
	w := serve(api, request(t, "POST", "/", "{}"))
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return w.Code, w.Header(), body
}

func TestStatusesAreTheSeeds(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/seed-codes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r := csv.NewReader(file)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, 4
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 32 {
		t.Fatalf("%d rows, %v, want the 32 of the seed", len(rows), err)
	}
	for _, row := range rows {
		code, status := strings.Replace(row[1], "*", "corrupt", 1), row[2]
		got, _, body := answerTo(t, core.NewError(core.Code(code), "", nil))
		if strconv.Itoa(got) != status {
			t.Errorf("%s: %s is %d, want %s", row[0], code, got, status)
		}
		if body["error"] != code || !strings.HasPrefix(body["reason"], row[3]) {
			t.Errorf("%s: %s says %v, want %q", row[0], code, body, row[3])
		}
	}
}

// Every code has a status code of its own kind and an answer of one shape.
func TestEveryCodeHasAnAnswer(t *testing.T) {
	t.Parallel()
	internal := []core.Code{
		core.CodeInternal, core.CodeInterrupted, core.CodeStartApp, core.CodeAppCrashed, core.CodeAuthServerDown,
		core.CodeStatusGetByID, core.CodeStatusQueryFail, core.CodeChangesFatal,
		core.CodeGetUserFailed, core.CodeUpdateUserFailed, core.CodeAppCrashed,
	}
	for _, code := range core.Codes() {
		if strings.HasPrefix(string(code), "platform:") {
			continue // of another API
		}
		status, header, body := answerTo(t, core.NewError(code, "", nil))
		if status == http.StatusInternalServerError && !slices.Contains(internal, code) && !strings.HasPrefix(string(code), "deploy:tar:") {
			t.Errorf("%s has no status code of its own", code)
		}
		if status < 400 || body["error"] != string(code) || body["reason"] != core.NewError(code, "", nil).Reason || body["uuid"] != uuid || len(body) != 3 {
			t.Errorf("%s is answered with %d %v", code, status, body)
		}
		if got, want := header.Get("WWW-Authenticate") != "", status == http.StatusUnauthorized; got != want {
			t.Errorf("%s, %d: WWW-Authenticate is there: %t", code, status, got)
		}
		if got, want := header.Get("Retry-After") != "", status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests; got != want {
			t.Errorf("%s, %d: Retry-After is there: %t", code, status, got)
		}
	}
}

func TestErrorOfNoCode(t *testing.T) {
	t.Parallel()
	status, _, body := answerTo(t, os.ErrPermission)
	if status != http.StatusInternalServerError || body["error"] != string(core.CodeInternal) {
		t.Errorf("got %d %v", status, body)
	}
	if strings.Contains(body["reason"], os.ErrPermission.Error()) {
		t.Errorf("the cause is shown: %v", body)
	}
}

func TestRetryAfterIsTheErrors(t *testing.T) {
	t.Parallel()
	err := core.NewError(core.CodeFailedToStorePayload, "", nil)
	err.RetryAfter = 1500 * time.Millisecond
	if _, header, _ := answerTo(t, err); header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After is %q, want 2", header.Get("Retry-After"))
	}
}

// That a part behind us does not answer in time means that there is too much to
// do, so the request is to be sent again.
func TestOverloadIs503(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Status = fakeStatus{entry: func(string, string) (core.Change, error) {
			return core.Change{}, core.NewError(core.CodeStatusGetByID, "", fmt.Errorf("store: %w", context.DeadlineExceeded))
		}}
	})
	w := serve(api, request(t, "GET", "/1/status/dscape/changes/"+entryID, "", as("dscape")))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), string(core.CodeStatusGetByID)) {
		t.Errorf("got %d, %v, %s", w.Code, w.Header(), w.Body)
	}
}
