package apps

// OnTrial reports whether what runs of an app is on trial.
func (a *Apps) OnTrial(user, app string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trials[key(user, app)] != nil
}
