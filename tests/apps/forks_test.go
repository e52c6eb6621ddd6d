package apps

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// All processes that an app starts end with it, and those of its build with that.
func TestForks(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "forks")
	wanted := []string{"sleep 1001", "sleep 1002", "sleep 1003", "sleep 1004"}
	if os.Getuid() == 0 {
		// Then drones are recognized by something that none of them can drop.
		wanted = append(wanted, "sleep 1005")
		a.env(`{"UNMARKED":"1"}`)
	}
	all := func(snapshot string) []process {
		var found []process
		until(t, "all processes", func() bool {
			found = a.processes(snapshot)
			return len(missing(found, wanted)) == 0
		})
		return found
	}
	build := func() string {
		id, output, failure := a.upload(example(t, "forks", nil))
		if failure != "" {
			t.Fatalf("the build failed: %s\n%s", failure, output)
		}
		if found := a.processes(id); len(found) > 0 {
			t.Errorf("the build has left processes: %v", found)
		}
		return id
	}

	first := build()
	a.ok(a.start(first))
	were := all(first)
	if n := slices.IndexFunc(were, func(p process) bool { return strings.Contains(p.args, "server.js") }); n < 0 || len(were) < len(wanted)+3 {
		t.Errorf("of the app and its two workers there are %v", were)
	}

	second := build()
	a.ok(a.start(second))
	now := all(second)
	until(t, "the old version to end", func() bool { return len(left(were)) == 0 })
	if gone := missing(a.processes(second), wanted); len(gone) > 0 {
		t.Errorf("%q ended with the old version", gone)
	}

	a.stop()
	if found := left(slices.Concat(were, now)); len(found) > 0 {
		t.Errorf("there are processes after the stop: %v", found)
	}
	if found := a.processes(""); len(found) > 0 {
		t.Errorf("there are processes after the stop: %v", found)
	}
}

// missing returns the arguments that no process has.
func missing(found []process, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(args string) bool {
		return slices.ContainsFunc(found, func(p process) bool { return p.args == args })
	})
}

// String describes a process.
func (p process) String() string { return fmt.Sprintf("%d %q in %s", p.pid, p.args, p.dir) }
