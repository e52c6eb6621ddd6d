// Package project reads what a repository says about how its app is built and
// started, and makes a plan of it. The rules are those of Heroku's Node.js
// buildpack where it has one, as that is what most repositories were made for.
//
// It reads files and runs nothing: a [Project] is what was found, a [Plan] what
// is to be done, and both are values that tests compare.
package project

import "github.com/nodejitsu/webhooks/core"

// failure returns the error of an app that can't be built as it is.
func failure(format string, args ...any) error {
	return core.Errorf(core.CodePlatformBuildFailed, format, args...)
}
