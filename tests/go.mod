module github.com/nodejitsu/webhooks/tests

go 1.26.8

require (
	github.com/nodejitsu/webhooks/core v0.1.0
	github.com/nodejitsu/webhooks/tools v0.1.0
)

replace (
	github.com/nodejitsu/webhooks/adapters => ../adapters
	github.com/nodejitsu/webhooks/core => ../core
	github.com/nodejitsu/webhooks/deployer => ../deployer
	github.com/nodejitsu/webhooks/httpapi => ../httpapi
	github.com/nodejitsu/webhooks/providers => ../providers
	github.com/nodejitsu/webhooks/tools => ../tools
)
