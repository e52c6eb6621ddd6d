package config

import (
	"fmt"
	"slices"
	"strings"
)

// mistyped reports the variables that look like misspelled settings. Others
// with our prefix are left alone: Kubernetes sets such ones for a service that
// is called webhooks.
func (s *Settings) mistyped(environ []string) []error {
	var problems []error
	for _, pair := range environ {
		variable, _, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(variable, envPrefix)
		name := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
		if !ours || slices.Contains(s.names, name) || slices.Contains([]string{"CONFIG", "USER", "PASSWORD", "TO", "URL", "FORGE_TOKEN", "NOTIFY_ADDRESS", "SEAL_KEYS", "CONTEXT", "CONTEXTS"}, rest) {
			continue
		}
		if hint := didYouMean(name, s.names, variableOf); hint != "" {
			problems = append(problems, fmt.Errorf("%s: unknown setting%s", variable, hint))
		}
	}
	return problems
}

// didYouMean returns "; did you mean X?" for the known name that is most like
// name, as write writes it, or "".
func didYouMean(name string, known []string, write func(string) string) string {
	if best := Similar(name, known); best != "" {
		return "; did you mean " + write(best) + "?"
	}
	return ""
}

// Similar returns the known name that name is most likely a misspelling or the
// beginning of, or "".
func Similar(name string, known []string) string {
	best, least := "", len(name)/4+1
	for _, candidate := range known {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	if i := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(k, name+"-") }); best == "" && i >= 0 {
		best = known[i]
	}
	return best
}

// distance is the number of letters that must be inserted, removed or replaced
// to turn one text into the other.
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
