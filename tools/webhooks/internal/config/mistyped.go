package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// mistyped lists the variables that look like settings that were spelled wrong.
// Others with our prefix are somebody's, as those are that Kubernetes sets for
// a service called webhooks.
func mistyped(environ, settings []string) error {
	var faults []error
	for _, pair := range environ {
		variable, _, _ := strings.Cut(pair, "=")
		name := settingOf(variable)
		if !strings.HasPrefix(variable, EnvPrefix) || slices.Contains(settings, name) || isVariable(variable) {
			continue
		}
		for _, setting := range settings {
			if distance(name, setting) <= len(name)/4 {
				faults = append(faults, fmt.Errorf("%s is no setting; did you mean %s?", variable, variableOf(setting)))
				break
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("settings from the environment:\n%w", errors.Join(faults...))
}

// isVariable tells whether a variable that is no setting is one of ours.
func isVariable(name string) bool {
	switch strings.TrimPrefix(name, EnvPrefix) {
	case "USER", "PASSWORD", "TO", "SEAL_KEYS":
		return true
	}
	return false
}

// distance is how many letters have to be put in, left out or changed to make
// one text of the other.
func distance(from, to string) int {
	row := make([]int, len(to)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(from) {
		before := row[0]
		row[0] = i + 1
		for j := range len(to) {
			changed := before
			if from[i] != to[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(to)]
}
