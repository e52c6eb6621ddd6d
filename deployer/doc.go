// Package deployer holds the module's packages: nodejitsu, a client of the
// Nodejitsu API, and platform, which speaks that API and runs Node.js apps on
// this machine. The embedded platform is reached by the client over HTTP, as any
// other is, so neither knows the other's insides.
package deployer
