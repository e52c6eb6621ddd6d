package deploy

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// The detail of a failure does not repeat its reason with names of operations.
func TestErrorDetail(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("nodejitsu: start app: %w", core.Errorf(core.CodePlatformStartFailed, "drone 1 listens on port 3000"))
	for _, test := range []struct {
		err  *core.Error
		want string
	}{
		{core.Explain(core.CodeStartApp, refused), ""},
		{core.NewError(core.CodeStartApp, "", errors.New("no route to host")), "no route to host"},
		{&core.Error{Code: core.CodeStartApp, Detail: "the last lines", Cause: refused}, "the last lines"},
	} {
		if got := errorDetail(test.err); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, got, test.want)
		}
	}
}
