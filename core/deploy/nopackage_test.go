package deploy_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// A push without a package.json says what is missing and what to do, in its entry and on
// the commit. So does one of a repository that can't be read.
func TestNoPackageJSON(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unreadable, unpaired bool
		target               core.Target
		want                 string
	}{
		"none":                  {want: "no package.json in the top folder at 1111111. Add one; if the app is in another folder, add root=FOLDER to the webhook's URL"},
		"none in a folder":      {target: core.Target{Root: "web", App: "hello"}, want: "no package.json in the folder web at 1111111. Add one, or correct root=web in the webhook's URL"},
		"no repository, paired": {unreadable: true, want: "the paired account does not see dscape/hello. Pair one that may read it (webhooks pair), then redeliver the webhook"},
		"no repository":         {unreadable: true, unpaired: true, want: "dscape/hello is private, or does not exist. Pair an account that may read it (webhooks pair), then redeliver the webhook"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.forge.Commit(w.repo, commit1, map[string]string{"README.md": "hello"})
				if !test.unreadable {
					w.forge.SetDefaultBranch(w.repo, "main")
				}
				if !test.unpaired {
					w.pair()
				}
				w.options.BaseURL = "https://hooks.example.com"
				w.notify()
				w.start()
				r := w.request(w.push(commit1))
				test.target.Branch = "main"
				r.Target = test.target
				e := w.settled(w.accept(r).Change.Entry.ID)
				if want := core.Reason(core.CodeNoPackageJSON) + ": " + test.want; e.Status != core.StatusError || e.Reason != want || e.Error.Code != core.CodeNoPackageJSON {
					t.Errorf("got %s %+v, want %s", e.Status, e.Error, want)
				}
				statuses := w.forge.Statuses(commit1)
				if test.unpaired {
					if len(statuses) > 0 {
						t.Errorf("got %+v", statuses)
					}
					return
				}
				if len(statuses) != 1 || statuses[0].State != "failure" || statuses[0].Description != test.want || statuses[0].App != "" ||
					statuses[0].TargetURL != "https://hooks.example.com/-/entries/"+e.ID {
					t.Errorf("got %+v, want %s", statuses, test.want)
				}
			})
		})
	}
}

// What deploys nothing sets no commit status.
func TestIgnoredPushHasNoCommitStatus(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.pair()
		w.start()
		push := w.push(commit1)
		push.Branch, push.Ref = "other", "refs/heads/other"
		w.is(w.settled(w.deliver(push)), core.StatusIgnored, "")
		if statuses := w.forge.Statuses(commit1); len(statuses) > 0 {
			t.Errorf("got %+v", statuses)
		}
	})
}
