package drones

import (
	"maps"
	"reflect"
)

// Spec is what to run.
type Spec struct {
	User      string            `json:"user"`
	App       string            `json:"app"`
	Snapshot  string            `json:"snapshot"` // id, told in the State
	Subdomain string            `json:"subdomain"`
	Dir       string            `json:"dir"`              // the built folder; the drones' working folder
	Node      string            `json:"node"`             // path of the node binary
	Path      []string          `json:"path,omitempty"`   // folders of programs that the app finds besides node's and the system's
	Start     string            `json:"start"`            // a shell command, or the path of a file for node
	Health    string            `json:"health,omitempty"` // path that answers 2xx or 3xx once a drone is ready; "": it is when it accepts connections
	Env       map[string]string `json:"env,omitempty"`
	Drones    int               `json:"drones"` // how many; default 1
}

// same tells whether both are the same version with the same environment: only
// how many drones there are may differ.
func (spec Spec) same(other Spec) bool {
	env := maps.Equal(spec.Env, other.Env)
	spec.Env, spec.Drones = other.Env, other.Drones
	return env && reflect.DeepEqual(spec, other)
}
