module github.com/nodejitsu/webhooks/deployer

go 1.26.8

require github.com/nodejitsu/webhooks/core v0.1.0

require (
	github.com/Masterminds/semver/v3 v3.5.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/nodejitsu/webhooks/core => ../core
