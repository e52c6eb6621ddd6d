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

// The parts of the heap fit into the limit together. What an app sets is not changed.
func TestNodeOptions(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, test := range []struct {
		options string
		memory  int64 // MiB
		version string
		want    string
	}{
		{"", 512, "22.1.0", "--max-old-space-size=384"},
		{"", 512, "", "--max-old-space-size=384"},
		{"", 512, "24.0.0", "--max-old-space-size=384 --max-semi-space-size=16"},
		{"--trace-warnings", 4096, "26.12.1", "--trace-warnings --max-old-space-size=3072 --max-semi-space-size=32"},
		{"--max_old_space_size=99", 512, "24.0.0", "--max_old_space_size=99 --max-semi-space-size=16"},
		{"--max-old-space-size=99", 512, "20.20.2", "--max-old-space-size=99"},
		{"--max-semi-space-size=8", 512, "24.0.0", "--max-semi-space-size=8 --max-old-space-size=384"},
	} {
		if got := startup.NodeOptions(test.options, test.memory*mib, test.version); got != test.want {
			t.Errorf("%q of %d MiB with Node.js %q: got %q, want %q", test.options, test.memory, test.version, got, test.want)
		}
	}
}
