// Package gitpush reads what the pushes of several senders have in common: the
// commits and the ref.
package gitpush
