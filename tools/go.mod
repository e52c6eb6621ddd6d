module github.com/nodejitsu/webhooks/tools

go 1.26.8

require (
	github.com/nodejitsu/webhooks/adapters v0.1.0
	github.com/nodejitsu/webhooks/core v0.1.0
	github.com/nodejitsu/webhooks/deployer v0.1.0
	github.com/nodejitsu/webhooks/httpapi v0.1.0
	github.com/nodejitsu/webhooks/providers v0.1.0
)

replace (
	github.com/nodejitsu/webhooks/adapters => ../adapters
	github.com/nodejitsu/webhooks/core => ../core
	github.com/nodejitsu/webhooks/deployer => ../deployer
	github.com/nodejitsu/webhooks/httpapi => ../httpapi
	github.com/nodejitsu/webhooks/providers => ../providers
)
