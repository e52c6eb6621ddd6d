package field

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

func TestCommitHasOneForm(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0a", 20)
	for text, want := range map[string]string{
		id: id, strings.ToUpper(id): id, strings.Repeat("0A", 32): strings.Repeat("0a", 32),
		strings.Repeat("0", 40): "", id[1:]: "", id + "0": "", "": "", "HEAD": "",
	} {
		if got := Commit(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestRepositoryIsWholeOrNone(t *testing.T) {
	t.Parallel()
	good := core.Repository{Forge: "github.com", Owner: "dscape", Name: "hello.js", URL: "https://github.com/dscape/hello.js", Private: true, DefaultBranch: "main"}
	if got := Repository(good); got != good {
		t.Errorf("changed to %+v", got)
	}
	bad := good
	bad.Name = "../hello"
	if got := Repository(bad); got != (core.Repository{}) {
		t.Errorf("kept %+v", got)
	}
	bad = good
	bad.URL, bad.DefaultBranch = "javascript:alert(1)", "a..b"
	if got := Repository(bad); got.URL != "" || got.DefaultBranch != "" || got.Owner != "dscape" {
		t.Errorf("kept %+v", got)
	}
}

func TestValidRef(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"refs/heads/main", "feature/größer", "v1.0.0", "refs/pull/3/merge", strings.Repeat("a", MaxRef)} {
		if !ValidRef(text) {
			t.Errorf("%q refused", text)
		}
	}
	for _, text := range []string{"", "a b", "a\nb", "a..b", "a:b", "a\\b", "a\x7f", "a\x00", "a*", "\ufffd", strings.Repeat("a", MaxRef+1)} {
		if ValidRef(text) {
			t.Errorf("%q is valid", text)
		}
	}
}

func TestWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"workflow_run": "workflow_run", "": "", "two words": "", "a\n": "", "é": "", strings.Repeat("a", 101): "",
	} {
		if got := Word(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestProseIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{{"short", 5, "short"}, {"longer", 4, "long"}, {"aé", 2, "a"}, {"é", 1, ""}, {"a\n\x1b", 9, "a\n\x1b"}} {
		if got := Prose(c.text, c.limit); got != c.want {
			t.Errorf("%q to %d: %q", c.text, c.limit, got)
		}
	}
}

func TestLinkIsAWebAddressWithoutCredentials(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"https://github.com/a/b", "http://ghe.example:8080/a?b=c#d"} {
		if Link(text) != text {
			t.Errorf("%q refused", text)
		}
	}
	for _, text := range []string{
		"", "javascript:alert(1)", "https://user:pass@github.com/a", "https://user@github.com/a", "https:///a", "//github.com/a",
		"git://github.com/a/b", "https://a\nb", "%", "https://a/" + strings.Repeat("b", MaxLink),
	} {
		if got := Link(text); got != "" {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestTimesAreUTCAndCanBeEncoded(t *testing.T) {
	t.Parallel()
	want := time.Date(2012, 3, 15, 19, 26, 21, 0, time.UTC)
	for _, got := range []time.Time{
		Time("2012-03-15T12:26:21-07:00"), Time("2012-03-15T19:26:21Z"), Time("2012/03/15 12:26:21 -0700"), Unix(want.Unix()),
	} {
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	for _, text := range []string{"", "yesterday", "1331839581", "2012-03-15", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"} {
		if got := Time(text); !got.IsZero() {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, seconds := range []int64{0, -1, 1 << 62, 253402300800} {
		if got := Unix(seconds); !got.IsZero() {
			t.Errorf("%d: %v", seconds, got)
		}
	}
	if _, err := json.Marshal(Unix(253402300799)); err != nil {
		t.Error(err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	reasons := map[string]bool{}
	for _, cause := range []error{jsonscan.ErrSyntax, jsonscan.ErrDepth, jsonscan.ErrDuplicate, jsonscan.ErrUTF8} {
		err := Unreadable(fmt.Errorf("%w (byte 3)", cause))
		e := core.AsError(err)
		if e.Code != core.CodeProviderNotSupported || reasons[e.Reason] || !errors.Is(err, cause) || strings.Contains(e.Reason, "byte") {
			t.Errorf("%v: %+v", cause, e)
		}
		reasons[e.Reason] = true
	}
	if e := core.AsError(Refuse("Do this")); e.Code != core.CodeProviderNotSupported || e.Reason != "Do this" {
		t.Errorf("%+v", e)
	}
}

func TestForgeIsTheHostOfTheAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://github.com/a-b/c_D.js": "github.com", "http://git.example.com/a": "git.example.com", "https://github.com": "github.com",
		"https:///a": "", "https://git_hub.com/a": "git_hub.com", "https://" + strings.Repeat("a", MaxLabel) + "/a": strings.Repeat("a", MaxLabel),
		"https://GitHub.com/a/b": "github.com", "http://git.example.com:3000/x/a/b": "git.example.com:3000", "https://[::1]:8080/a/b": "[::1]:8080",
		"": "", "git@github.com:a/b": "", "https://user@github.com/a/b": "", "https://bücher.example/a/b": "",
		"https://" + strings.Repeat("a", MaxLabel+1) + "/a/b": "",
	} {
		if _, got := Address(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	r := core.Repository{Owner: "o", Name: "n", URL: "https://git.example.com/o/n"}
	if got := Repository(r).Forge; got != "git.example.com" {
		t.Errorf("without a forge: %q", got)
	}
	r.Forge = "other.example.com"
	if got := Repository(r).Forge; got != "other.example.com" {
		t.Errorf("with a forge: %q", got)
	}
	r.Owner = "a/b"
	if got := GroupedRepository(r); got.Owner != "a/b" || Repository(r) != (core.Repository{}) {
		t.Errorf("an owner that is a path: %+v, %+v", got, Repository(r))
	}
}
