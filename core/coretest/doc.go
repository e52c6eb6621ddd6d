// Package coretest proves adapters, in the manner of testing/fstest: a suite
// for each port, which every adapter's own tests run, so that adapters are
// the same where it matters. The in-memory [Store], which passes its suite,
// and the fakes of the other ports serve the tests of the use cases.
package coretest
