// Package kubernetes runs apps in a Kubernetes cluster. It is an implementation of
// package runner.
//
// Each launch of a version has a Deployment for each of its processes and a Secret
// with its environment, so that a version becomes ready beside the one that runs. The
// Service of an app selects the pods of one launch: it changes in one step, and back.
// The platform's router sends requests to the ready pods themselves, those of the
// launch that the Service selects; so does whatever routes to the Service.
//
// The objects are what is remembered: a platform that is started again takes over
// what runs and removes what an earlier one had left half done. Apps go on while no
// platform runs.
//
// The rights that the runner needs are in role.yaml.
package kubernetes
