// Package coretest has conformance tests for adapters, as testing/fstest has for
// file systems: [TestStore] is run by the tests of every store. It also has fakes
// of the ports for the tests of the use cases.
package coretest
