package app

import (
	"slices"
	"testing"
)

func TestForges(t *testing.T) {
	t.Parallel()
	for api, want := range map[string][]string{
		"": {"github.com"}, "https://api.github.com/": {"github.com"}, "https://GHE.example.com/api/v3/": {"ghe.example.com"},
		"https://api.octocorp.ghe.com/": {"octocorp.ghe.com"}, "https://ghe.example.com:8443/api/v3/": {"ghe.example.com:8443"},
		"http://127.0.0.1:3000/": {"github.com", "127.0.0.1:3000"}, "http://localhost:3000": {"github.com", "localhost:3000"},
	} {
		if got := forges(api); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", api, got, want)
		}
	}
}
