module github.com/nodejitsu/webhooks/tests

go 1.26.8

require (
	github.com/emersion/go-smtp v0.25.1
	github.com/nodejitsu/webhooks/adapters v0.1.0
	github.com/nodejitsu/webhooks/core v0.1.0
	github.com/nodejitsu/webhooks/deployer v0.1.0
	github.com/nodejitsu/webhooks/tools v0.1.0
)

require (
	github.com/Masterminds/semver/v3 v3.5.0 // indirect
	github.com/alexedwards/argon2id v1.0.0 // indirect
	github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/nodejitsu/webhooks/adapters => ../adapters
	github.com/nodejitsu/webhooks/core => ../core
	github.com/nodejitsu/webhooks/deployer => ../deployer
	github.com/nodejitsu/webhooks/httpapi => ../httpapi
	github.com/nodejitsu/webhooks/providers => ../providers
	github.com/nodejitsu/webhooks/tools => ../tools
)
