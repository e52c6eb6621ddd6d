package deploy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// signed is a delivery that nothing but the user's secret proves, as a webhook
// with ?user= sends it.
func (w *world) signed(event core.Event, secret, id string) deploy.Request {
	w.t.Helper()
	r := w.request(event, "Signed-With", secret)
	if id != "" {
		r.Delivery.Header.Set("X-Github-Delivery", id)
	}
	r.Credentials, r.User = nil, "dscape"
	return r
}

func (w *world) secret(id, secret string) {
	w.t.Helper()
	err := w.accounts.SetToken(w.t.Context(), "dscape", core.ThirdPartyToken{
		ID: id, Provider: core.TokenWebhookSecret, Token: core.NewSecret(secret),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// The signature covers the body and nothing else: who captured a delivery can
// send it with another id, or none, and deploys nothing by that.
func TestCapturedDelivery(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.secret("s", "hook")
		w.start()
		older, newer := w.push(commit1), w.push(commit2)
		older.PushedAt, newer.PushedAt = time.Unix(1000, 0).UTC(), time.Unix(2000, 0).UTC()
		entries := map[string]string{
			commit1: w.accept(w.signed(older, "hook", "a")).Change.Entry.ID,
		}
		w.is(w.settled(entries[commit1]), core.StatusOK, "")
		entries[commit2] = w.accept(w.signed(newer, "hook", "b")).Change.Entry.ID
		w.is(w.settled(entries[commit2]), core.StatusOK, "")

		for _, id := range []string{"a", "", "c", "not an id", string(make([]byte, 200))} {
			for _, event := range []core.Event{older, newer} {
				again := w.accept(w.signed(event, "hook", id))
				if !again.Repeat || again.Change.Entry.ID != entries[event.Commit.ID] {
					t.Errorf("with the id %q: got %+v", id, again)
				}
				w.settled(again.Change.Entry.ID)
			}
		}
		want := []string{"dscape/hello/1.0.0-111111111111", "dscape/hello/1.0.0-222222222222"}
		if got := w.platform.Starts(); !slices.Equal(got, want) {
			t.Errorf("started %v, want %v", got, want)
		}
		// A delivery without an id counts by the time of its push, too.
		late := w.push(commit3)
		late.PushedAt = time.Unix(1500, 0).UTC()
		w.is(w.settled(w.accept(w.signed(late, "hook", "")).Change.Entry.ID), core.StatusSkipped, "Superseded")
	})
}

// Two webhooks of one repository say the same: with one secret they are one
// delivery, with a secret each they are two.
func TestTwoWebhooksOfARepository(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.secret("s", "hook")
		w.secret("t", "other hook")
		w.start()
		w.is(w.settled(w.accept(w.signed(w.push(commit1), "hook", "a")).Change.Entry.ID), core.StatusOK, "")
		if again := w.accept(w.signed(w.push(commit1), "hook", "b")); !again.Repeat {
			t.Errorf("got %+v", again)
		}
		if other := w.accept(w.signed(w.push(commit1), "other hook", "c")); other.Repeat {
			t.Errorf("with a secret of its own: got %+v", other)
		}
	})
}

// What GitHub delivered, its user sends again by hand.
func TestPayloadSentAgainByHand(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		first := w.deliver(w.push(commit1), "X-Github-Delivery", "a")
		w.is(w.settled(first), core.StatusOK, "")
		if again := w.accept(w.request(w.push(commit1))); !again.Repeat || again.Change.Entry.ID != first {
			t.Errorf("got %+v", again)
		}
		if got := w.platform.Starts(); len(got) != 1 {
			t.Errorf("started %v", got)
		}
	})
}

// A report of Travis CI that comes again is the same one, whatever is
// beside it: it has no id of GitHub's.
func TestCapturedReport(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.travisKeys()
		report := func(id string) deploy.Receipt {
			t.Helper()
			r := w.request(w.build(commit1, core.BuildFailed), "Signed-With", "travis", "X-Github-Delivery", id)
			r.Credentials = nil
			return w.accept(r)
		}
		first := report("a")
		if again := report("b"); again.Change.Entry.ID != first.Change.Entry.ID {
			t.Errorf("got another entry: %+v", again)
		}
	})
}
