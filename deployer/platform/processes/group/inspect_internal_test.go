package group

import "testing"

func TestMayTrace(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{
		"Name:\twebhooks\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n": true,
		"Name:\twebhooks\nCapEff:\t00000000a80425fb\nCapBnd:\t0\n": false, // of a container, by default
		"Name:\twebhooks\n": false,
	} {
		if got := mayTrace(status); got != want {
			t.Errorf("%q: got %t", status, got)
		}
	}
}
