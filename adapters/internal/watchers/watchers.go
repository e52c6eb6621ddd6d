// Package watchers notifies goroutines that wait for a user's changes. All stores
// use it.
package watchers

import "sync"

// Watchers is a set of channels by user. The zero value is empty. It may be used
// concurrently.
type Watchers struct {
	mu     sync.Mutex
	byUser map[string]map[chan struct{}]struct{}
}

// Watch returns a channel that receives, at most once until it is read, after
// each Wake of the user. stop ends it.
func (w *Watchers) Watch(user string) (wake <-chan struct{}, stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{}, 1)
	if w.byUser == nil {
		w.byUser = map[string]map[chan struct{}]struct{}{}
	}
	if w.byUser[user] == nil {
		w.byUser[user] = map[chan struct{}]struct{}{}
	}
	w.byUser[user][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byUser[user], c)
		if len(w.byUser[user]) == 0 {
			delete(w.byUser, user)
		}
	}
}

// Wake signals the channels of the user.
func (w *Watchers) Wake(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.byUser[user] {
		Signal(c)
	}
}

// WakeAll signals all channels, if it is not known which users have changes.
func (w *Watchers) WakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.byUser {
		for c := range all {
			Signal(c)
		}
	}
}

// Signal sends to a channel of size 1, unless it is full.
func Signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
