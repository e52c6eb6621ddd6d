// Package config reads the operator's settings: flags over environment over a
// file over defaults. Each setting stands once, in settings.go.
package config
