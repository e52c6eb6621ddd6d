// Package applog is the log of an app on the disk, which every runner writes: the
// files, reading them backwards, and hiding secrets in what is written.
package applog
