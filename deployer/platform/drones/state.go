package drones

import (
	"fmt"
	"time"
)

// Phase is how an app stands.
type Phase string

// The phases of an app.
const (
	Stopped  Phase = "stopped"  // it was halted or never started
	Starting Phase = "starting" // no drone is ready yet, after a restart of the server or a crash, also one that brings back what ran before
	Started  Phase = "started"  // at least one drone is ready
	Crashed  Phase = "crashed"  // it crashed too often and was given up
)

// State is how an app stands.
type State struct {
	User, App string
	Phase     Phase
	Snapshot  string    // what runs, or should run; "" where stopped
	Drones    int       // ready ones
	Wanted    int       // as many as there should be
	Restarts  int       // of its drones since the last Switch
	Reason    string    // of the last crash; "" where there was none since the last Switch
	Crash     Crash     // the last time that drones were given up since the last Switch
	Former    string    // snapshot that runs again where this one crashes; "" once this one has proved itself
	Since     time.Time // when the phase began
}

// Crash tells of drones that were given up. Where the State's snapshot is
// another one, that one was brought back.
type Crash struct {
	Snapshot string    `json:"snapshot"` // of the drones
	Drones   int       `json:"drones"`   // how many were given up
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
}

// StartError says that an app did not start, and with which last words.
type StartError struct {
	Reason string // a sentence for the app's author
	Lines  []Line // the last 50 lines that the drone wrote
}

// Error returns the reason.
func (e *StartError) Error() string { return fmt.Sprintf("drones: %s", e.Reason) }
