package coretest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
)

// The fake behaves as the real ones.
func TestForge(t *testing.T) {
	t.Parallel()
	coretest.TestForge(t, func(*testing.T) coretest.ForgeFixture {
		fake := coretest.NewForge()
		f := coretest.ForgeFixture{
			Forge: fake, Token: core.NewSecret("t"), Login: "ada", Branch: "main", Commit: strings.Repeat("a", 40),
			Public:  core.Repository{Forge: "forge.example", Owner: "ada", Name: "hello"},
			Private: core.Repository{Forge: "forge.example", Owner: "ada", Name: "secret"},
			Files:   map[string]string{"package.json": "{}", "lib/a b.js": "x"},
		}
		for _, r := range []core.Repository{f.Public, f.Private} {
			fake.Commit(r, f.Commit, f.Files)
			fake.SetDefaultBranch(r, f.Branch)
		}
		fake.Private(f.Private, f.Token)
		fake.AddLogin(f.Login, f.Token)
		f.Status = func(*testing.T) (string, string) {
			all := fake.Statuses(f.Commit)
			last := all[len(all)-1]
			if last.State == "inactive" { // it has what was set, and not what a forge makes of it
				last.State = "success"
			}
			return last.State, last.Description
		}
		f.FailNext = func(*testing.T) { fake.Fail("File", core.Transient(errors.New("429"), time.Second)) }
		f.SetCheck = nil // its checks are set as they are read
		return f
	})
}
