package core

import "time"

// StepName names a part of a deployment.
type StepName string

// The steps, in their order.
const (
	StepGate    StepName = "gate"    // find out what the push has to wait for
	StepPackage StepName = "package" // read package.json
	StepCreate  StepName = "create"  // create the app on the platform if it is new
	StepUpload  StepName = "upload"  // download, repack, upload and build, as one stream
	StepStart   StepName = "start"   // update the app, activate the snapshot, start
	StepStatus  StepName = "status"  // set the commit status on the forge
	StepRelease StepName = "release" // of a build report: release the pushes that wait for it
)

// ShortStep is what the short form of a change says of the newest step.
type ShortStep struct {
	Name  StepName  `json:"name"`
	State StepState `json:"state"`
}

// StepState is the state of a step.
type StepState string

// The states of a step.
const (
	StepRunning StepState = "running"
	StepOK      StepState = "ok"
	StepFailed  StepState = "failed"
	StepRetry   StepState = "retry" // failed for now; will be tried again
)

// Step is one attempt at a named part of a deployment.
type Step struct {
	Name      StepName  `json:"name"`
	State     StepState `json:"state"`
	Attempt   int       `json:"attempt"`
	StartedAt time.Time `json:"started_at"`
	Millis    int64     `json:"duration_ms"`
	Detail    string    `json:"detail,omitempty"` // what was found, or what went wrong
}
