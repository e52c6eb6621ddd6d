// Package packages installs the packages of a release on this machine's own file
// system, below a layer that is thrown away.
package packages
