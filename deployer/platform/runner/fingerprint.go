package runner

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Fingerprint identifies what the drones of a version are started with, so that the next
// platform recognizes those that an earlier one has left. A field that a later version of
// the program adds does not change it as long as it is not used.
//
// The subdomain and the domains of an app are not a part of it: a person may change them
// while it runs, which a restart of the platform must not make a restart of the app. As a
// new environment does, a new subdomain reaches the drones that are started afterwards.
func (v Version) Fingerprint() string {
	v.Subdomain, v.Domains, v.Sticky, v.StopFirst, v.Order, v.Snapshots = "", nil, false, false, "", nil
	return v.hash()
}

// FormerFingerprint is the fingerprint that earlier versions of the program have given to
// drones of this machine.
func (v Version) FormerFingerprint() string {
	v.Drones, v.StopFirst = 0, false
	return v.hash()
}

// hash returns the hash of the fields that have not the zero value of their type.
func (v Version) hash() string {
	text, err := json.Marshal(v)
	if err != nil {
		return rand.Text() // that equals nothing; never happens
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return rand.Text() // the same
	}
	text, err = json.Marshal(withoutZeros(fields))
	if err != nil {
		return rand.Text() // the same
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// withoutZeros removes the fields that have the zero value of their type.
func withoutZeros(fields map[string]any) map[string]any {
	for name, value := range fields {
		switch value := value.(type) {
		case map[string]any:
			if name != "Env" { // whose empty variables are set
				withoutZeros(value)
			}
			if len(value) == 0 {
				delete(fields, name)
			}
		case nil:
			delete(fields, name)
		case string:
			if value == "" {
				delete(fields, name)
			}
		case float64:
			if value == 0 {
				delete(fields, name)
			}
		case bool:
			if !value {
				delete(fields, name)
			}
		}
	}
	return fields
}
