// Package providers holds the module's packages: github and travis, which read
// the webhooks of GitHub and Travis CI. Each turns a core.Delivery, headers and
// bytes as they came, into a core.Event, and checks signatures. They do no I/O,
// keep no state and start nothing, so that another program can use one of them
// alone: it then depends on module core, on the standard library and, for
// travis, on a YAML parser.
package providers
