// Package doctor checks whether a machine has what a server with given settings
// needs, and says what to do about what it lacks.
package doctor
