// Package idle is the platform with a runner that starts nothing: each app is ready at
// once, and its requests go to one given address. So a benchmark can have far more
// apps than its machine could run, and what it measures is the platform alone.
package idle
