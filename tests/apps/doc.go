// Package apps holds the embedded platform to real applications from npm: a
// site, a chat, a stream, a production build, and those that crash, hang, leak
// and fork. They run on the built program, and get their packages from npm's
// registry by the cache of whoever runs the tests.
package apps
