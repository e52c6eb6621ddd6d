package app

import "testing"

func TestDataCenterIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	for want, forges := range map[string][]string{
		"git.example.com:7990": {"gitlab", "bitbucket-dc=https://GIT.example.com:7990/bitbucket"},
		"":                     {"bitbucket-dc=https://a.example.com", "bitbucket-dc=https://b.example.com"},
	} {
		if got := dataCenter(forges); got != want {
			t.Errorf("%q: got %q, want %q", forges, got, want)
		}
	}
	if got := dataCenter([]string{"bitbucket"}); got != "" {
		t.Errorf("got %q without one", got)
	}
}
