// Package packages installs the packages of a release on a Debian with systemd, and
// builds and runs the container image, in containers that leave nothing behind.
package packages
