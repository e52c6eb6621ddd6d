// Package tools holds the module's programs: webhooks, the one that is
// installed, and those that the project is worked on with, githubsim and
// release. No other module imports this one.
package tools
