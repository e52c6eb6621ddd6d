// Package tests contains the tests that cross modules: of the direction of imports,
// and of the built program from outside.
//
// The module is never released or imported, so it may require any other module.
package tests
