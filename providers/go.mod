module github.com/nodejitsu/webhooks/providers

go 1.26.8

require (
	github.com/nodejitsu/webhooks/core v0.1.0
)

replace (
	github.com/nodejitsu/webhooks/core => ../core
)
