// Package apps tests the embedded platform with real applications from npm: a
// site, a chat, a stream, a production build, and applications that crash, hang,
// leak and fork. They run on the built program, and get their packages from npm's
// registry through the npm cache of the user that runs the tests.
package apps
