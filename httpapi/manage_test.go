package httpapi_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi"
)

func TestRelease(t *testing.T) {
	t.Parallel()
	var asked []string
	var fail error
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{release: func(user, id string) (core.Change, error) {
			asked = append(asked, user+"/"+id)
			return changeOf(core.StatusPending), fail
		}}
	})
	path := "/1/status/dscape/changes/" + entryID + "/release"
	golden(t, "release", whole(serve(api, request(t, "POST", path, "", as("dscape")))))
	fail = core.NewError(core.CodeNotHeld, "", nil)
	golden(t, "release not held", whole(serve(api, request(t, "POST", path, "", as("dscape")))))
	if w := serve(api, request(t, "POST", path, "", as("indexzero"))); w.Code != http.StatusUnauthorized {
		t.Errorf("another user: got %d, want 401", w.Code)
	}
	if want := "dscape/" + entryID; len(asked) != 2 || asked[0] != want {
		t.Errorf("released %v (%s times), want %q twice", asked, strconv.Itoa(len(asked)), want)
	}
}

func TestRedeliverAndCancel(t *testing.T) {
	t.Parallel()
	var asked []string
	var fail error
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{
			redeliver: func(user, id, uuid string) (core.Change, error) {
				asked = append(asked, "redeliver "+user+"/"+id+" "+uuid)
				return changeOf(core.StatusPending), fail
			},
			cancel: func(user, id string) (core.Change, error) {
				asked = append(asked, "cancel "+user+"/"+id)
				return changeOf(core.StatusSkipped), fail
			},
			wait: func(context.Context, string) (core.Change, error) { return changeOf(core.StatusOK), nil },
		}
	})
	path := "/1/status/dscape/changes/" + entryID
	if w := serve(api, request(t, "POST", path+"/redeliver", "", as("dscape"))); w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), `"status":"pending"`) {
		t.Errorf("redeliver: got %d %s", w.Code, w.Body)
	}
	if w := serve(api, request(t, "POST", path+"/redeliver", "", as("dscape"), "Prefer: wait=5")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"ok"`) {
		t.Errorf("redeliver and wait: got %d %s", w.Code, w.Body)
	}
	if w := serve(api, request(t, "DELETE", path+"/", "", as("dscape"))); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"skipped"`) {
		t.Errorf("cancel: got %d %s", w.Code, w.Body)
	}
	fail = core.NewError(core.CodeCancelOver, "", nil)
	if w := serve(api, request(t, "DELETE", path, "", as("dscape"))); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), string(core.CodeCancelOver)) {
		t.Errorf("cancel what is over: got %d %s", w.Code, w.Body)
	}
	want := []string{"redeliver dscape/" + entryID + " " + uuid, "redeliver dscape/" + entryID + " " + uuid, "cancel dscape/" + entryID, "cancel dscape/" + entryID}
	for _, method := range []string{"POST", "DELETE"} {
		target := map[string]string{"POST": path + "/redeliver", "DELETE": path}[method]
		if w := serve(api, request(t, method, target, "", as("indexzero"))); w.Code != http.StatusUnauthorized {
			t.Errorf("%s by another user: got %d, want 401", method, w.Code)
		}
	}
	if !slices.Equal(asked, want) {
		t.Errorf("got calls %q, want %q", asked, want)
	}
}
