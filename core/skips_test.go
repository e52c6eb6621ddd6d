package core_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// The texts that keep GitHub from running workflows for a push (docs.github.com,
// "Skipping workflow runs").
func TestSkipsChecks(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]bool{
		"docs [skip ci]": true, "[ci skip] docs": true, "docs\n\n[no ci]": true, "a [skip actions] b": true, "[actions skip]": true, "[SKIP CI]": true,
		"docs\n\nskip-checks: true": true, "docs\n\nskip-checks:true\n": true,
		"": false, "docs": false, "skip ci": false, "[skip  ci]": false, "[skip deploy]": false,
		"skip-checks: true\n\nnot the last line": false, "docs\n\nskip-checks: false": false,
	} {
		if got := (core.Commit{Message: message}).SkipsChecks(); got != want {
			t.Errorf("%q: got %t", message, got)
		}
	}
}
