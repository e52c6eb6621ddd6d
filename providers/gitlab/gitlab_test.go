package gitlab

import (
	"flag"
	"net/textproto"
	"reflect"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

var _ deploy.Provider = Provider{}

var update = flag.Bool("update", false, "write the golden files") //nolint:gochecknoglobals // a flag

// header is the header of a delivery; a name that begins with "system" is that of
// a system hook.
func header(name string) textproto.MIMEHeader {
	h := textproto.MIMEHeader{}
	h.Set("X-Gitlab-Event", "Push Hook")
	if strings.HasPrefix(name, "system") {
		h.Set("X-Gitlab-Event", "System Hook")
	}
	return h
}

func deliver(tb testing.TB, payload string) core.Delivery {
	tb.Helper()
	d, err := core.NewDelivery(header(""), []byte(payload))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestPayloadsAreReadAsTheirGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, payload := range golden.Payloads(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := Provider{}.Parse(deliver(t, string(payload)))
			if err != nil {
				t.Fatal(err)
			}
			golden.CheckEvent(t, want)
			golden.Check(t, name, want, *update)
			for way, d := range golden.Deliveries(t, header(name), payload) {
				if got, err := (Provider{}).Parse(d); err != nil || !reflect.DeepEqual(got, want) || !(Provider{}).Recognize(d) {
					t.Errorf("as %s: %+v, %v", way, got, err)
				}
			}
			for way, d := range golden.Deliveries(t, nil, payload) {
				want := name != "build" && name != "system-user_create" // they have no project
				if got := (Provider{}).Resembles(d); got != want || (Provider{}).Recognize(d) {
					t.Errorf("as %s without header: it resembles one: %t", way, got)
				}
			}
		})
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why     string
		header  map[string]string
		payload string
		want    bool
	}{
		{"by its header", map[string]string{"X-Gitlab-Event": "Push Hook"}, `{}`, true},
		{"by its header, with a broken payload", map[string]string{"X-Gitlab-Event": "Push Hook"}, `{`, true},
		{"by its shape", nil, `{"object_kind":"push","project":{}}`, true},
		{"a system hook by its shape", nil, `{"event_name":"push","project":{}}`, true},
		{"no project", nil, `{"object_kind":"push"}`, false},
		{"a project that is not an object", nil, `{"object_kind":"push","project":"a/b"}`, false},
		{"no kind", nil, `{"project":{}}`, false},
		{"a broken payload", nil, `{"object_kind":"push","project":{}`, false},
		{"a push of GitHub's", nil, `{"ref":"refs/heads/main","after":"x","repository":{},"commits":[]}`, false},
	} {
		d := core.Delivery{Header: textproto.MIMEHeader{}, Payload: []byte(c.payload)}
		for name, value := range c.header {
			d.Header.Set(name, value)
		}
		if got := (Provider{}).Recognize(d) || (Provider{}).Resembles(d); got != c.want || (Provider{}).Recognize(d) != (c.header != nil) {
			t.Errorf("%s: %t", c.why, got)
		}
	}
	if (Provider{}).Name() != core.ProviderGitLab {
		t.Error("another name")
	}
}

func TestDeliveryID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why    string
		header textproto.MIMEHeader
		want   string
	}{
		{"none", nil, ""},
		{"unsigned", textproto.MIMEHeader{"Idempotency-Key": {"f5e5f430"}, "Webhook-Id": {"other"}}, "f5e5f430"},
		{"signed", textproto.MIMEHeader{"Idempotency-Key": {"other"}, "Webhook-Id": {"f5e5f430"}, "Webhook-Signature": {"v1,x"}}, "f5e5f430"},
		{"with a line break", textproto.MIMEHeader{"Idempotency-Key": {"a\nb"}}, ""},
	} {
		if got, signed := (Provider{}).DeliveryID(core.Delivery{Header: c.header}); got != c.want || !signed {
			t.Errorf("%s: %q, %t", c.why, got, signed)
		}
	}
}

// The forge is the host that the payload names; the header counts if there is none.
func TestForge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ why, payload, instance, forge, slug string }{
		{"of the project", `"project":{"path_with_namespace":"a/b","web_url":"https://Git.Example.com:8443/x/a/b"}`, "https://other.example", "git.example.com:8443", "a/b"},
		{"of the header", `"project":{"path_with_namespace":"a/b"}`, "https://git.example.com/gitlab", "git.example.com", "a/b"},
		{"of the home page", `"repository":{"homepage":"https://git.example.com/a/b/c"}`, "", "git.example.com", "a/b/c"},
		{"of a home page below the root", `"repository":{"homepage":"https://git.example.com/gitlab/a/b"}`, "https://git.example.com/gitlab/", "git.example.com", "a/b"},
		{"unknown", `"project":{"path_with_namespace":"a/b","web_url":"git@x:a/b"}`, "nonsense", "", "a/b"},
	} {
		d := deliver(t, `{"object_kind":"note",`+c.payload+`}`)
		d.Header.Set("X-Gitlab-Instance", c.instance)
		e, err := Provider{}.Parse(d)
		if err != nil || e.Repository.Forge != c.forge || e.Repository.Slug() != c.slug {
			t.Errorf("%s: %+v, %v", c.why, e.Repository, err)
		}
	}
}

func TestPipelineStates(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]core.BuildState{
		"created": core.BuildStarted, "waiting_for_resource": core.BuildStarted, "preparing": core.BuildStarted, "waiting_for_callback": core.BuildStarted,
		"pending": core.BuildStarted, "running": core.BuildStarted, "scheduled": core.BuildStarted, "canceling": core.BuildStarted,
		"success": core.BuildPassed, "failed": core.BuildFailed, "canceled": core.BuildCanceled, "skipped": core.BuildNeutral, "manual": core.BuildWaiting,
		"": core.BuildStarted, "Success": core.BuildStarted, "new_in_2030": core.BuildStarted,
	} {
		e, err := Provider{}.Parse(deliver(t, `{"object_kind":"pipeline","project":{"path_with_namespace":"a/b"},"object_attributes":{"ref":"main","sha":"`+sha("a")+`","source":"push","status":"`+status+`"}}`))
		if err != nil || e.Build.State != want || e.Build.Type != "push" || e.Branch != "main" {
			t.Errorf("%q: %+v, %v", status, e.Build, err)
		}
	}
}

func sha(digit string) string { return strings.Repeat(digit, 40) }

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	push := func(fields string) string {
		return `{"object_kind":"push","before":"` + sha("b") + `",` + fields + `}`
	}
	const project, ref = `"project":{"path_with_namespace":"a/b"}`, `"ref":"refs/heads/main"`
	after := `"after":"` + sha("a") + `"`
	pipeline := func(fields string) string { return `{"object_kind":"pipeline",` + fields + `}` }
	for _, c := range []struct{ why, payload, reason string }{
		{"a list", `[]`, "not a JSON object"},
		{"a custom template", `{"text":"hello"}`, "custom template"},
		{"a kind that is not a word", `{"object_kind":"a b"}`, "custom template"},
		{"broken", `{"object_kind":"push"`, "not valid JSON"},
		{"no project", push(ref + "," + after), "repository"},
		{"a project without a group", push(`"project":{"path_with_namespace":"b"},` + ref + "," + after), "repository"},
		{"a project that climbs", push(`"project":{"path_with_namespace":"../a/b"},` + ref + "," + after), "repository"},
		{"no ref", push(project + "," + after), "ref"},
		{"a ref with a space", push(project + `,"ref":"refs/heads/a b",` + after), "ref"},
		{"no commit", push(project + "," + ref), "commit"},
		{"a pipeline without a project", pipeline(`"object_attributes":{"ref":"main","sha":"` + sha("a") + `"}`), "project"},
		{"a pipeline without a commit", pipeline(project + `,"object_attributes":{"ref":"main"}`), "commit"},
		{"a pipeline without a ref", pipeline(project + `,"object_attributes":{"sha":"` + sha("a") + `"}`), "ref"},
	} {
		e, err := Provider{}.Parse(deliver(t, c.payload))
		failure := core.AsError(err)
		if failure == nil || failure.Code != core.CodeProviderNotSupported || !strings.Contains(failure.Reason, c.reason) {
			t.Errorf("%s: %+v, %v", c.why, e, err)
		}
	}
}
