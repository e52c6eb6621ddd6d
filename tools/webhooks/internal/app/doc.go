// Package app is the composition root: it wires adapters and use cases with
// fx, a file for each area, and runs the whole until a signal stops it. No
// other package of the project knows all of them, or fx.
package app
