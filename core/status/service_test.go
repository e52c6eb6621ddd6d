package status_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

type fakeLog struct {
	entry   func(user, id string) (core.Change, error)
	entries func(user, app string, skip, limit int) ([]core.Entry, int, error)
	payload func(id string) ([]byte, error)
}

func (l fakeLog) Entry(_ context.Context, user, id string) (core.Change, error) {
	return l.entry(user, id)
}

func (l fakeLog) Payload(_ context.Context, id string) ([]byte, error) { return l.payload(id) }

func (l fakeLog) Entries(_ context.Context, user, app string, skip, limit int) ([]core.Entry, int, error) {
	return l.entries(user, app, skip, limit)
}

func TestList(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, app string
		total     int
		fail      error
		want      core.Code
		called    bool
	}{
		{"all of a user", "", 3, nil, "", true},
		{"a user without entries", "", 0, nil, "", true},
		{"of an app", "hello", 3, nil, "", true},
		{"of an app without entries", "hello", 0, nil, core.CodeStatusNotFound, true},
		{"of what can be no app", "../etc", 0, nil, core.CodeStatusNotFound, false},
		{"the store fails", "", 0, errors.New("down"), core.CodeStatusQueryFail, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			called := false
			s := status.New(status.Options{Log: fakeLog{entries: func(user, app string, skip, limit int) ([]core.Entry, int, error) {
				called = true
				if user != "dscape" || app != c.app || skip != 2 || limit != 5 {
					t.Errorf("Entries(%q, %q, %d, %d)", user, app, skip, limit)
				}
				return make([]core.Entry, c.total), c.total, c.fail
			}}})
			page, total, err := s.List(t.Context(), "dscape", c.app, 2, 5)
			if core.CodeOf(err) != c.want || called != c.called {
				t.Errorf("got %v, asked the store %t, want %q, %t", err, called, c.want, c.called)
			}
			if err == nil && (len(page) != c.total || total != c.total) {
				t.Errorf("got %d entries of %d, want %d", len(page), total, c.total)
			}
		})
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	id := "2b3de47c2ce04a9dda4d31aac5000bab"
	for want, fail := range map[core.Code]error{
		"":                      nil,
		core.CodeStatusNotFound: fmt.Errorf("bolt: %w", core.ErrNotFound),
		core.CodeStatusGetByID:  errors.New("down"),
	} {
		s := status.New(status.Options{Log: fakeLog{entry: func(user, got string) (core.Change, error) {
			if user != "dscape" || got != id {
				t.Errorf("Entry(%q, %q)", user, got)
			}
			return core.Change{Seq: core.Seq{Millis: 7}}, fail
		}}})
		change, err := s.Entry(t.Context(), "dscape", id)
		if core.CodeOf(err) != want || err == nil && change.Seq.Millis != 7 {
			t.Errorf("got %v, %v, want %q", change.Seq, err, want)
		}
		if _, err := s.Entry(t.Context(), "dscape", "../../etc"); core.CodeOf(err) != core.CodeStatusNotFound {
			t.Errorf("an invalid id returned %v", err)
		}
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	id := "2b3de47c2ce04a9dda4d31aac5000bab"
	for want, fail := range map[core.Code]error{
		"":                      nil,
		core.CodeStatusNotFound: fmt.Errorf("bolt: %w", core.ErrNotFound),
		core.CodeStatusGetByID:  errors.New("down"),
	} {
		s := status.New(status.Options{Log: fakeLog{
			entry: func(user, _ string) (core.Change, error) {
				if user != "dscape" {
					return core.Change{}, core.ErrNotFound
				}
				return core.Change{}, nil
			},
			payload: func(string) ([]byte, error) { return []byte("{}"), fail },
		}})
		payload, err := s.Payload(t.Context(), "dscape", id)
		if core.CodeOf(err) != want || err == nil && string(payload) != "{}" {
			t.Errorf("got %q, %v, want %q", payload, err, want)
		}
		if _, err := s.Payload(t.Context(), "indexzero", id); core.CodeOf(err) != core.CodeStatusNotFound {
			t.Errorf("another user got %v", err)
		}
	}
}
