package deploy

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// gateChecks is the gate of the forge's own CI and of commit statuses. It is asked
// for by a delivery; a repository that has workflows asks for nothing.
const gateChecks = core.GateChecks

// askChecks is the value of the parameter gate that asks for all runs of the forge's
// own CI.
const askChecks = gateChecks

// Names of checks besides workflows.
const (
	pipelineKey  = "pipeline"
	statusPrefix = "status:"
)

const (
	maxGateNames = 20
	maxGateName  = 255 // bytes
)

// parseGate returns the keys that a value of the parameter gate asks for: none for
// "" and "none".
func parseGate(text string) ([]string, error) {
	if text == "" || text == core.GateNone {
		return nil, nil
	}
	var keys []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if !validGateName(name) || (name == askChecks && text != askChecks) {
			return nil, core.Errorf(core.CodeDeployParams,
				"A parameter of the request is invalid: this server has no gate %.100q; want checks, none, travis, or a list of workflows by their paths and of"+
					" commit statuses, such as .github/workflows/ci.yml,status:ci/build", name)
		}
		if !slices.Contains(keys, name) {
			keys = append(keys, name)
		}
	}
	if len(keys) > maxGateNames {
		return nil, core.Errorf(core.CodeDeployParams, "A parameter of the request is invalid: gate names %d checks; want at most %d", len(keys), maxGateNames)
	}
	return keys, nil
}

// asksForAll reports whether the keys of a gate ask for all checks of the forge's own
// CI, and not for those that they name.
func asksForAll(keys []string) bool { return slices.Equal(keys, []string{askChecks}) }

func validGateName(name string) bool {
	if len(name) > maxGateName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false
	}
	if status, ok := strings.CutPrefix(name, statusPrefix); ok {
		return status != ""
	}
	if name == askChecks || name == pipelineKey {
		return true
	}
	return strings.Contains(name, "/") && path.Clean("/"+name) == "/"+name && slices.Contains([]string{".yml", ".yaml"}, path.Ext(name))
}

// checksVerdict is what the checks of a commit come to.
type checksVerdict struct {
	state   checksState
	text    string // what is waited for, or why it passed or failed
	missing string // if it is empty: what there is none of
	running bool   // a check that counts is queued or in progress
	found   bool   // there is a check that counts
}

type checksState int

const (
	checksOpen   checksState = iota // checks run, or were cancelled
	checksPassed                    // all completed, none failed, at least one passed
	checksFailed                    // one failed
	checksEmpty                     // there is none, or one that is named is missing, or all were skipped
)

// checksOn returns the verdict of the checks of a commit, newest first for each
// key, on a push of it.
func checksOn(push core.Entry, checks []Check, now time.Time) checksVerdict {
	keys := push.GateKeys
	all := asksForAll(keys)
	newest := map[string]Check{}
	if all {
		keys = nil
	}
	for _, c := range checks {
		if _, known := newest[c.Key]; known || !c.countsFor(push, all) {
			continue
		}
		newest[c.Key] = c
		if all {
			keys = append(keys, c.Key)
		}
	}
	v := checksVerdict{found: len(newest) > 0}
	var waits, missing, passed []string
	for _, key := range keys {
		c, found := newest[key]
		if !found {
			missing = append(missing, (Check{Key: key}).name())
			continue
		}
		switch c.State {
		case CheckPassed:
			passed = append(passed, c.name())
		case CheckNeutral:
		case CheckRunning:
			v.running = true
			waits = append(waits, c.text(now))
		case CheckCanceled, CheckWaiting:
			waits = append(waits, c.text(now))
		default:
			return checksVerdict{state: checksFailed, text: c.failure(), found: true}
		}
	}
	switch {
	case len(waits) > 0:
		v.text = strings.Join(waits, "; ")
	case len(missing) > 0:
		v.state, v.missing = checksEmpty, "run of "+strings.Join(missing, ", ")
	case len(newest) == 0:
		v.state, v.missing = checksEmpty, "run of a workflow"
	case len(passed) == 0:
		v.state, v.missing = checksEmpty, "run that is not skipped"
	default:
		v.state, v.text = checksPassed, strings.Join(passed, ", ")+" passed"
	}
	if v.state == checksEmpty {
		v.text = "a " + v.missing
	}
	return v
}

// mergeQueue is the prefix of the branches that GitHub's merge queue builds.
const mergeQueue = "gh-readonly-queue/"

// countsFor reports whether a check counts for a push whose gate wants all checks,
// or the named ones. A commit may have runs of other branches, as of the one that
// was merged by a fast-forward, and of schedules.
func (c Check) countsFor(push core.Entry, all bool) bool {
	if all != (all && c.Own) || !all && !slices.Contains(push.GateKeys, c.Key) {
		return false
	}
	switch c.Event {
	case "":
		return c.Branch == "" || c.Branch == push.Branch
	case "push":
		return c.Branch == push.Branch
	case "merge_group":
		return strings.HasPrefix(c.Branch, mergeQueue+push.Branch+"/")
	case "workflow_dispatch":
		return !all && c.Branch == push.Branch
	}
	return false
}

// name is the check for a person, such as "ci.yml".
func (c Check) name() string {
	switch name, status := strings.CutPrefix(c.Key, statusPrefix); {
	case status:
		return "the status " + name
	case c.Key == pipelineKey:
		return "the pipeline"
	case c.Key != "":
		return path.Base(c.Key)
	}
	return cmp.Or(c.Name, "a check")
}

// text says how far the check has come, such as "ci.yml, run 17, in progress for 2
// min".
func (c Check) text(now time.Time) string {
	text := c.name()
	if c.Run != "" {
		text += ", run " + c.Run
	}
	switch c.State {
	case CheckWaiting:
		return text + ", which waits for a person to act on it"
	case CheckCanceled:
		return text + ", to be run again: it was " + cmp.Or(c.Detail, "cancelled")
	}
	text += ", " + strings.ReplaceAll(cmp.Or(c.Detail, "in progress"), "_", " ")
	if age := now.Sub(c.Since); !c.Since.IsZero() && age >= time.Minute {
		text += fmt.Sprintf(" for %d min", int(age.Minutes()))
	}
	return text
}

// failure says that the check failed, and where that can be seen.
func (c Check) failure() string {
	text := c.name()
	if c.Run != "" {
		text += ", run " + c.Run + ","
	}
	text += " did not pass"
	if c.Detail != "" {
		text += ": " + strings.ReplaceAll(c.Detail, "_", " ")
	}
	if c.URL != "" {
		text += " (" + c.URL + ")"
	}
	return capitalized(text)
}

// reportedChecks returns the checks that signed reports, the entries of a commit,
// say of it, newest first for each key.
func reportedChecks(push core.Entry, known []core.Change) []Check {
	var reports []core.Entry
	for _, c := range known {
		if r := c.Entry; r.Kind == core.EventBuild && r.Build != nil && r.Build.Gate == gateChecks && r.Build.Key != "" &&
			r.Authentic && r.User == push.User && ignoredBuild(*r.Build, "") == "" {
			reports = append(reports, r)
		}
	}
	slices.SortStableFunc(reports, func(a, b core.Entry) int { return compareReports(b, a) })
	checks := make([]Check, len(reports))
	for i, r := range reports {
		b := r.Build
		checks[i] = Check{
			Key: b.Key, Name: b.Name, Run: b.Number, Event: b.Type, Branch: r.Branch, Detail: b.Message, URL: b.URL,
			State: checkStates[b.State], Since: r.CreatedAt, Own: !strings.HasPrefix(b.Key, statusPrefix),
		}
		if strings.HasPrefix(b.Key, statusPrefix) {
			checks[i].Event, checks[i].Branch = "", ""
		}
	}
	return checks
}

// checkStates are the states of checks by those of builds.
var checkStates = map[core.BuildState]CheckState{ //nolint:gochecknoglobals // a constant
	core.BuildStarted: CheckRunning, core.BuildPassed: CheckPassed, core.BuildNeutral: CheckNeutral,
	core.BuildFailed: CheckFailed, core.BuildErrored: CheckFailed, core.BuildCanceled: CheckCanceled, core.BuildWaiting: CheckWaiting,
}

// compareReports compares reports by what they are about: runs by their id, as it
// increases, then by their attempt, of which the end counts, and at last by their
// order. Deliveries may come in any order.
func compareReports(a, b core.Entry) int {
	x, y := a.Build, b.Build
	ended := func(b *core.Build) int {
		if b.Attempt == 0 || b.State == core.BuildStarted || b.State == core.BuildWaiting {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(len(x.ID), len(y.ID)), cmp.Compare(x.ID, y.ID),
		cmp.Compare(x.Attempt, y.Attempt), cmp.Compare(ended(x), ended(y)),
		cmp.Compare(a.Order, b.Order),
	)
}
