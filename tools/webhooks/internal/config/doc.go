// Package config reads the operator's settings: flags over environment over a
// YAML file over defaults. Each setting is declared once, in settings.go.
package config
