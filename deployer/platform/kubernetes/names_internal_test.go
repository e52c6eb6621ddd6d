package kubernetes

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"app": "app", "my-app2": "my-app2", "1app": "n1app-", "a.b_c": "a-b-c-", "app-": "app-", strings.Repeat("x", 64): strings.Repeat("x", 21) + "-",
	} {
		got := dns(name, maxPrefix)
		if !strings.HasPrefix(got, want) || len(got) > maxPrefix || !dnsName.MatchString(got) {
			t.Errorf("dns(%q) = %q, want %q and a hash", name, got, want)
		}
	}
	for _, value := range []string{"app", "a.b_c", "app-", strings.Repeat("x", 64)} {
		if got := label(value); len(got) > 63 || !labelValue.MatchString(got) {
			t.Errorf("label(%q) = %q", value, got)
		}
	}
}

// No two apps of one namespace have the same objects.
func TestPrefixIsUnique(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 40)
	seen := map[string]string{}
	for _, one := range [][2]string{{"a-b", "c"}, {"a", "b-c"}, {"a", "b.c"}, {"a.b", "c"}, {"a", "b"}, {long, "a"}, {long, "b"}, {"a", long}, {"1", "a"}, {"n1", "a"}} {
		got := prefix(one[0], one[1], true)
		if other, taken := seen[got]; taken || len(got) > maxPrefix || !dnsName.MatchString(got) {
			t.Errorf("%v has the prefix %q, which %q has too", one, got, other)
		}
		seen[got] = one[0] + "/" + one[1]
	}
	if got := prefix("me", "app", true); got != "me-app" {
		t.Errorf("got %q", got)
	}
	if got := prefix("me", "my-app", false); got != "my-app" {
		t.Errorf("got %q", got)
	}
}

// Kubernetes expands nothing in what an app's author writes.
func TestLiteral(t *testing.T) {
	t.Parallel()
	if got := literal([]string{"sh", "kill -9 $$; echo $(date)"}); got[1] != "kill -9 $$$$; echo $$(date)" {
		t.Errorf("got %q", got)
	}
}
