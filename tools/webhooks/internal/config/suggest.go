package config

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// others are the variables of the program that are not settings, in the form of their
// names.
var others = []string{"config", "user", "password", "to", "url", "forge-token", "notify-address", "seal-keys", "context", "contexts"} //nolint:gochecknoglobals // a constant

// ofKubernetes matches the variables that Kubernetes sets for a service that is
// called webhooks.
var ofKubernetes = regexp.MustCompile(`^(service-(host|port)|port)(-|$)`)

// mistyped reports the variables that look like misspelled settings.
func (s *Settings) mistyped(environ []string) []error {
	known := slices.Concat(s.names, others)
	var problems []error
	for variable, name := range s.strange(environ) {
		if hint := didYouMean(name, known, variableOf); hint != "" {
			problems = append(problems, fmt.Errorf("%s: unknown setting%s", variable, hint))
		}
	}
	return problems
}

// Unknown returns the variables with the prefix of this program that it does not read
// and that look like none that it reads.
func (s *Settings) Unknown(environ []string) (variables []string) {
	for variable := range s.strange(environ) {
		variables = append(variables, variable)
	}
	slices.Sort(variables)
	return slices.Compact(variables)
}

// strange yields the variables that the program does not read, each with the name that
// a setting would have.
func (s *Settings) strange(environ []string) iter.Seq2[string, string] {
	return func(yield func(variable, name string) bool) {
		for _, pair := range environ {
			variable, _, _ := strings.Cut(pair, "=")
			rest, ours := strings.CutPrefix(variable, envPrefix)
			name := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
			if ours && !slices.Contains(s.names, name) && !slices.Contains(others, name) && !ofKubernetes.MatchString(name) && !yield(variable, name) {
				return
			}
		}
	}
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
