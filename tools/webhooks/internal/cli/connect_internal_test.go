package cli

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

// What became of the tests of a webhook is said as it is: that of the forge, and that of
// the server, which does not show that the forge reaches it.
func TestConnectedSaysWhatTheTestsShow(t *testing.T) {
	t.Parallel()
	for why, test := range map[string]struct {
		made client.Connection
		want []string // the lines behind the first two
	}{
		"the forge's succeeded": {client.Connection{Tested: true, Status: 200}, []string{"the forge's test succeeded"}},
		"none was sent":         {client.Connection{}, []string{"no test was sent"}},
		"the forge has none, the server's succeeded": {
			client.Connection{OwnTest: true, OwnStatus: 200},
			[]string{"the server sent a test to the address itself, signed as the forge signs, which succeeded; push something to see that the forge reaches it"},
		},
		"the forge has none, the server's is refused": {
			client.Connection{OwnTest: true, OwnStatus: 401}, []string{"the server sent a test to the address itself, which it answered with 401"},
		},
		"the forge got no answer, nor did the server": {
			client.Connection{Tested: true, OwnTest: true},
			[]string{"the forge got no answer to its test", "the server sent a test to the address itself, which did not come back to it"},
		},
		"the forge's is not signed": {
			client.Connection{Tested: true, Status: 401, OwnTest: true, OwnStatus: 200},
			[]string{"the forge's test was answered with 401", "the server sent a test to the address itself, signed"},
		},
		"the forge's was refused, the server may not": {client.Connection{Tested: true, Status: 502}, []string{"the forge's test was answered with 502"}},
	} {
		lines := strings.Split(connected(test.made, core.Target{}), "\n")[2:]
		ok := len(lines) == len(test.want)
		for i := 0; ok && i < len(lines); i++ {
			ok = strings.HasPrefix(lines[i], test.want[i])
		}
		if !ok {
			t.Errorf("%s: got %q, want %q", why, lines, test.want)
		}
	}
}
