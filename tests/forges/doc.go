// Package forges runs core's suite for forges against all of them, which read real git
// repositories of stand-ins.
package forges
