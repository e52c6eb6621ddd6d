// Package tests holds what crosses modules: the direction of their imports, and
// what can only be seen from outside, by driving the built program.
//
// It is never released and nothing imports it, so it may require what it likes.
package tests
