package startup_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// The limit of data leaves room for what Node.js reserves.
func TestDataLimit(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, test := range []struct {
		memory  int64 // MiB
		version string
		want    int64 // MiB
		exactly bool
	}{
		{256, "20.20.2", 384, true},
		{448, "22.1.0", 512, true},
		{1024, "0.10.48", 1024, true},
		{256, "24.0.0", 256 + 5*528, false},
		{1024, "26.12.1", 1024 + 5*528, false},
		{1024, "", 1024 + 5*528, false},
	} {
		got := startup.DataLimit(test.memory*mib, test.version) / mib
		if got < test.want || test.exactly && got != test.want {
			t.Errorf("%d MiB with Node.js %q: got %d MiB, want %d", test.memory, test.version, got, test.want)
		}
	}
}
